"""Files go with the person's records that they name: whole, of every declaration, and they do not come back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.erasure import plan_erasure
from loader.errors import RefusedError
from loader.ingest import Verdict
from loader.kinds import load_ruleset
from loader.raw_zone import NO_BYTES, RawZone
from loader.reader import open_content
from loader.verify import verify_run
from loader.warehouse import Warehouse
from tests import documents, source_manifests
from tests.checkouts import ROOT
from tests.ingests import as_line, evidence_faults, fates, rows, run, run_kinds, settings, ticket
from tests.integration.privacy.people import NEIGHBOUR, PERSON, REASON, deliver, erase_person
from tests.media import CALLS, IMAGES, TEXTS, VIDEOS
from tests.proofs import proved_whole, reconciled
from tests.recoveries import recover
from tests.shared_warehouse import own_warehouse
from tests.states import State, States
from tests.transcripts import TRANSCRIPT, segment, transcript
from tests.transcripts import deliver as deliver_transcripts

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed")]

CALL, IMAGE, TEXT = CALLS.kind, IMAGES.kind, TEXTS.kind
MINE, THEIRS = ({"ticket_id": f"TKT-20260417-00000{number}"} for number in (1, 2))
SHOWN = "select source_id from {}.{} order by source_id"
ERASED = """
select source_id from ops.manifest_asset inner join ops.source_asset using (asset_id)
where raw_zone_key like '%%/' || %s order by source_id
"""


@dataclass(frozen=True, slots=True)
class Delivered:
    calls: Verdict
    images: Verdict


def deliver_calls(folder: Path, name: str, files: dict[str, bytes], **metadata: dict[str, Any]) -> Path:
    return documents.deliver(folder / "calls", name, files, of=CALL, **metadata)


def files_of_two_customers(root: Path) -> Delivered:
    """A state (tests/states.py): two customers with a ticket each; calls and an image of either, of nobody, and one
    that cannot be read. The same sound was filed under both tickets."""
    wav, mp3, ogg = (CALLS.good[ending] for ending in ("wav", "mp3", "ogg"))
    lying = next(content for name, (content, _) in CALLS.bad.items() if name.startswith("lies"))
    calls = deliver_calls(
        root,
        "first",
        {
            "mine-2026-04-17.wav": wav,
            "broken-2026-04-17.wav": lying,
            "theirs-2026-04-17.mp3": mp3,
            "nobodys-2026-04-17.ogg": ogg,
            "same-2026-04-18.wav": wav,
        },
        mine=MINE,
        broken=MINE,
        theirs=THEIRS,
        same=THEIRS,
    )
    images = documents.deliver(
        root / "images", "first", {"panel-2026-04-17.png": IMAGES.good["png"]}, of=IMAGE, panel=MINE
    )
    tickets = deliver(root, "tickets", [ticket(1, customer_id=PERSON), ticket(2, customer_id=NEIGHBOUR)])
    verdicts = run_kinds(tickets, calls, images)
    assert [verdict.exit_code for verdict in verdicts.values()] == [0, 0, 0], verdicts
    return Delivered(verdicts[CALL], verdicts[IMAGE])


@pytest.fixture
def state(states: States) -> Iterator[State[Delivered]]:
    with states.begin(files_of_two_customers, LOADER_REJECT_LIMIT="0.9") as begun:
        yield begun


@pytest.fixture
def delivered(state: State[Delivered]) -> Delivered:
    return state.made


@pytest.fixture
def database(state: State[Delivered]) -> Warehouse:
    return state.database


@pytest.fixture
def empty(server: Warehouse, _template: str, tmp_path: Path) -> Iterator[Warehouse]:
    with own_warehouse(server, _template, tmp_path) as begun:
        yield begun


def shown(database: Warehouse, layer: str) -> list[str]:
    return [
        str(name) for table in ("call_asset", "image_asset") for (name,) in rows(database, SHOWN.format(layer, table))
    ]


def erased(database: Warehouse) -> list[str]:
    return [str(name) for (name,) in rows(database, ERASED, NO_BYTES)]


def objects(database: Warehouse) -> set[str]:
    """What is archived, without the object that has no byte."""
    return {key for key in RawZone(settings().raw_zone).objects() if NO_BYTES not in key}


def test_what_names_the_persons_ticket_goes_whole(database: Warehouse, delivered: Delivered) -> None:
    """Prevents a voice that stays when its customer is erased, and one that goes with a stranger."""
    plan = plan_erasure(settings(), PERSON, REASON)
    counts = ("event_count", "record_count", "reject_count", "released_row_count")
    assert {kind: tuple(found[name] for name in counts) for kind, found in plan.kinds.items()} == {
        "ticket_v1": (1, 1, 0, 1),
        CALL: (1, 1, 1, 1),
        IMAGE: (1, 1, 0, 1),
    }
    before = objects(database)
    erase_person()
    others = ["nobodys-2026-04-17.ogg", "same-2026-04-18.wav", "theirs-2026-04-17.mp3"]
    assert shown(database, "silver") == shown(database, "serving") == others
    assert erased(database) == ["broken-2026-04-17.wav", "mine-2026-04-17.wav", "panel-2026-04-17.png"]
    # The sound that is filed under both is read for the other still; the tickets are blanked in one new object.
    assert len(before - objects(database)) == 3 and len(objects(database) - before) == 1
    assert rows(database, "select count(*) from reconcile.reconcile_finding") == [(0,)]
    assert rows(database, "select count(*) from reconcile.reconcile_link") == [(0,)]
    held = rows(database, "select kind, sum(byte_length)::int from bronze.asset_line group by kind order by kind")
    sizes = rows(database, "select sum(content_bytes)::int from ops.source_asset")
    assert [kind for kind, _ in held] == ["blank", "record"] and [(sum(size for _, size in held),)] == sizes
    assert evidence_faults(database) == []
    for verdict, kind in ((delivered.calls, CALL), (delivered.images, IMAGE)):
        ruleset = load_ruleset(ROOT / "contracts", kind)
        found = verify_run(database, RawZone(settings().raw_zone), ruleset, verdict.facts.run["run_id"])
        assert found.is_proved, found
    assert reconciled(database) == proved_whole(database)
    with pytest.raises(RefusedError, match="nothing was planned"):
        plan_erasure(settings(), PERSON, REASON)


def test_it_does_not_come_back_under_any_name(database: Warehouse, delivered: Delivered, tmp_path: Path) -> None:
    """Prevents a call that is delivered once more, under another name or with other sound, and is heard again."""
    erase_person()
    wav, ogg = CALLS.good["wav"], CALLS.good["ogg"]
    kept = objects(database)
    again = deliver_calls(
        tmp_path,
        "again",
        {
            # As it was; another name; other sound of a record that went; a first call on a ticket that went.
            "mine-2026-04-17.wav": wav,
            "copy-2026-04-17.wav": wav,
            "broken-2026-04-17.ogg": ogg + b"\0",
            "new-2026-04-19.ogg": ogg,
            "others-2026-04-19.ogg": ogg,
        },
        mine=MINE,
        copy=MINE,
        broken={"entry": {"source_id": "broken-2026-04-17.wav"}},
        new=MINE,
        others=THEIRS,
    )
    verdict = run(again)
    assert (verdict.exit_code, fates(verdict)) == (0, {"erased": 4, "landed": 1})
    assert shown(database, "serving").count("others-2026-04-19.ogg") == 1
    assert not {"mine-2026-04-17.wav", "copy-2026-04-17.wav", "new-2026-04-19.ogg"} & {*shown(database, "serving")}
    assert objects(database) == kept
    assert {"copy-2026-04-17.wav", "new-2026-04-19.ogg", "broken-2026-04-17.wav"} <= {*erased(database)}
    assert evidence_faults(database) == []
    assert reconciled(database) == proved_whole(database)


def test_the_bytes_go_with_the_last_record_that_is_made_of_them(database: Warehouse, delivered: Delivered) -> None:
    """Prevents a sound that stays in the archive after everybody who is heard in it was erased."""
    archive = RawZone(settings().raw_zone)
    (sound,) = {
        key
        for (key,) in rows(
            database,
            "select raw_zone_key from ops.manifest_asset inner join ops.source_asset using (asset_id)"
            " where source_id = 'same-2026-04-18.wav'",
        )
    }
    erase_person()
    assert archive.has(sound)
    erase_person(person=NEIGHBOUR)
    assert not archive.has(sound)
    assert shown(database, "serving") == ["nobodys-2026-04-17.ogg"]


def test_a_file_whose_object_is_gone_is_erased_all_the_same(database: Warehouse, delivered: Delivered) -> None:
    """Prevents a file that is erased by half for ever, and comes back when somebody delivers its bytes again."""
    ((lost,),) = rows(database, "select raw_zone_key from ops.source_asset where record_kind = %s", IMAGE)
    assert RawZone(settings().raw_zone).remove(lost)
    erase_person()
    assert "panel-2026-04-17.png" in erased(database)
    assert rows(database, "select count(*) from reconcile.reconcile_finding") == [(0,)]


def test_what_erases_a_file_says_nothing_of_it(database: Warehouse, delivered: Delivered) -> None:
    """Prevents a plan, or evidence, that names the ticket or the file of a person who is nobody any more."""
    erase_person()
    tickets = rows(database, "select encode(record_hash, 'hex') from ops.erased_record")
    assert len(tickets) == 4
    for path in (settings().report_dir / "erase").glob("*.json"):
        told = path.read_text()
        assert MINE["ticket_id"] not in told and json.loads(told)


def test_no_sound_and_no_pixels_are_read_to_find_a_person(
    database: Warehouse, delivered: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents an erasure that reads every video of the archive, twice, and cannot find anybody there."""
    read: list[str] = []

    def noting(path: Path, *words: Any, **more: Any) -> Any:
        read.append(str(path))
        return open_content(path, *words, **more)

    for module in ("traces", "quotes"):
        monkeypatch.setattr(f"loader.erasure.{module}.open_content", noting)
    erase_person()
    held = "select raw_zone_key, record_kind from ops.source_asset"
    looked_at = {kind for key, kind in rows(database, held) for path in read if path.endswith(key)}
    assert looked_at == {"ticket_v1"}


def test_a_replay_leaves_what_was_erased(database: Warehouse, delivered: Delivered) -> None:
    """Prevents a call that comes back out of the archive's own entries, or a replay that dies of an empty file."""
    erase_person()
    before = shown(database, "serving"), erased(database)
    verdict = recover("replay", run_id=delivered.calls.facts.run["run_id"])
    assert verdict.exit_code == 0, verdict
    assert (shown(database, "serving"), erased(database)) == before
    assert rows(database, "select count(*) from reconcile.reconcile_finding") == [(0,)]


def test_a_call_before_its_ticket_is_told_until_it_comes(empty: Warehouse, tmp_path: Path) -> None:
    """Prevents a warning that stays with the record, and a day of calls that waits for tickets."""
    calls = deliver_calls(tmp_path, "first", {"mine-2026-04-17.wav": CALLS.good["wav"]}, mine=MINE)
    first = run(calls)
    assert (first.exit_code, first.facts.warnings) == (0, {"link_missing": 1})
    assert shown(empty, "serving") == ["mine-2026-04-17.wav"]
    assert rows(empty, "select count(*) from reconcile.reconcile_link") == [(1,)]
    run(deliver(tmp_path, "tickets", [ticket(1, customer_id=PERSON)]))
    assert rows(empty, "select count(*) from reconcile.reconcile_link") == [(0,)]
    assert reconciled(empty) == proved_whole(empty)


def deliver_texts(folder: Path, name: str, files: dict[str, str]) -> Path:
    """Texts, each of them read from the picture that is named."""
    linked = {file.split("-")[0]: {"linked_source_id": of} for file, of in files.items()}
    contents = {file: f"Fehler 503 in {file}\n".encode() for file in files}
    return documents.deliver(folder / "texts", name, contents, of=TEXT, **linked)


def test_a_text_goes_with_the_picture_that_it_was_read_from(
    database: Warehouse, delivered: Delivered, tmp_path: Path
) -> None:
    """Prevents words of a picture that outlive it, or that come back after it; and a text of a document, which is
    nobody's, that goes with a stranger's picture."""
    guide = documents.deliver(tmp_path / "documents", "first", {"guide-2026-04-17.pdf": documents.PDF})
    named = {
        "panel-2026-04-17.txt": "panel-2026-04-17.png",
        "guide-2026-04-17.txt": "guide-2026-04-17.pdf",
        "lost-2026-04-18.txt": "lost-2026-04-18.png",
    }
    first = run_kinds(guide, deliver_texts(tmp_path, "first", named))[TEXT]
    assert (first.exit_code, fates(first), first.facts.warnings) == (0, {"landed": 3}, {"link_missing": 1})
    linked = "document_v1 or image_v1 or video_v1"
    assert rows(database, "select record_key, linked_kind from reconcile.reconcile_link") == [
        ("lost-2026-04-18.txt", linked)
    ]
    erase_person()
    left = [("guide-2026-04-17.txt",), ("lost-2026-04-18.txt",)]
    assert rows(database, SHOWN.format("silver", "ocr_text")) == left
    assert rows(database, SHOWN.format("serving", "ocr_text")) == left
    assert "panel-2026-04-17.txt" in erased(database)
    assert not any(b"in panel" in path.read_bytes() for path in settings().raw_zone.rglob("*") if path.is_file())
    again = run(deliver_texts(tmp_path, "again", {"new-2026-04-20.txt": "panel-2026-04-17.png"}))
    assert (again.exit_code, fates(again)) == (0, {"erased": 1})
    lost = documents.deliver(tmp_path / "images", "lost", {"lost-2026-04-18.png": IMAGES.good["png"]}, of=IMAGE)
    assert run(lost).exit_code == 0
    assert rows(database, "select count(*) from reconcile.reconcile_link") == [(0,)]
    assert rows(database, "select count(*) from reconcile.reconcile_finding") == [(0,)]
    assert evidence_faults(database) == []
    assert reconciled(database) == proved_whole(database)


def test_a_transcript_goes_with_its_recording_and_does_not_come_back(
    database: Warehouse, delivered: Delivered, tmp_path: Path
) -> None:
    """Prevents what a person said that stays in words when the voice is gone, or comes back as a newer transcript; and
    a tombstone of a line that was blank before."""
    said = {
        "mine-2026-04-17.jsonl": [segment(1, text="I am the one who called"), b"", b"{broken", segment(2)],
        "other-2026-04-17.jsonl": [segment(1)],
        "theirs-2026-04-17.jsonl": transcript(2),
    }
    of = {"mine": "mine-2026-04-17.wav", "other": "mine-2026-04-17.wav", "theirs": "theirs-2026-04-17.mp3"}
    named = {name: {"linked_source_id": recording} for name, recording in of.items()}
    first = run(deliver_transcripts(tmp_path, "first", said, **named))
    assert (first.exit_code, fates(first)) == (0, {"landed": 5, "rejected": 1, "blank": 1}), first.problems
    plan = plan_erasure(settings(), PERSON, REASON)
    counts = ("event_count", "reject_count", "released_row_count")
    assert tuple(plan.kinds[TRANSCRIPT][name] for name in counts) == (3, 1, 1)
    erase_person()
    left = [("theirs-2026-04-17.mp3:1",), ("theirs-2026-04-17.mp3:2",)]
    for layer in ("silver", "serving"):
        assert rows(database, f"select segment_id from {layer}.transcript_line order by 1") == left
    held = "select asset_id, kind, count(*)::int from bronze.asset_line inner join ops.source_asset using (asset_id)"
    assert sorted(row[1:] for row in rows(database, f"{held} where record_kind = %s group by 1, 2", TRANSCRIPT)) == [
        ("blank", 1),
        ("blank", 4),
        ("record", 2),
    ]
    tombstones = (
        "select count(*) from ops.erased_line inner join ops.source_asset using (asset_id) where record_kind = %s"
    )
    assert rows(database, tombstones, TRANSCRIPT) == [(4,)]
    assert not any(b"who called" in path.read_bytes() for path in settings().raw_zone.rglob("*") if path.is_file())
    ruleset = load_ruleset(ROOT / "contracts", TRANSCRIPT)
    assert verify_run(database, RawZone(settings().raw_zone), ruleset, first.facts.run["run_id"]).is_proved
    new = {"mine-2026-04-19.jsonl": [segment(1, text="said once more"), b""], "theirs-2026-04-19.jsonl": transcript(3)}
    again = run(deliver_transcripts(tmp_path, "again", new, **named))
    assert (again.exit_code, fates(again)) == (0, {"erased": 1, "blank": 1, "landed": 3})
    assert not any(b"once more" in path.read_bytes() for path in settings().raw_zone.rglob("*") if path.is_file())
    assert rows(database, "select table_name, check_name, detail from reconcile.reconcile_finding") == []
    assert evidence_faults(database) == []
    assert reconciled(database) == proved_whole(database)
    with pytest.raises(RefusedError, match="nothing was planned"):
        plan_erasure(settings(), PERSON, REASON)


def test_of_a_manifest_of_another_dialect_each_kind_gives_up_what_is_the_persons(
    empty: Warehouse, tmp_path: Path
) -> None:
    """Prevents a part of a translated manifest that an erasure does not look into, a sidecar that outlives its file
    there, and an erasure that ends for good in what upstream's notes say of the person."""
    said = b"".join(as_line(segment(number, text="I am the one who called")) + b"\n" for number in (1, 2))
    tickets = b"".join(
        as_line(ticket(number, customer_id=whose)) + b"\n" for number, whose in ((1, PERSON), (2, NEIGHBOUR))
    )
    files = {
        "tickets.jsonl": tickets,
        "mine.wav": CALLS.good["wav"],
        "theirs.mp3": CALLS.good["mp3"],
        "mine.jsonl": said,
        "theirs.jsonl": said.replace(b"I am the one", b"It is not I"),
        "mine.mp4": VIDEOS.good["mp4"],
        "frames.txt": b"What her screen showed\n",
        "mine.png": IMAGES.good["png"],
        "page.txt": b"What her letter said\n",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def entry(source_id: str, name: str, contract: str, **changes: Any) -> dict[str, Any]:
        checksum = hashlib.sha256(files[name]).hexdigest()
        whole = {"source_url_or_path": name, "checksum_sha256": checksum, "size_bytes": len(files[name]), **changes}
        return source_manifests.asset(source_id, contract_ref=contract, asset_type=name.rpartition(".")[2], **whole)

    delivered = source_manifests.manifest(
        entry("tickets", "tickets.jsonl", source_manifests.TICKET, captured_at=None),
        entry(
            "call:mine",
            "mine.wav",
            source_manifests.AUDIO,
            transcript_path="mine.jsonl",
            notes=f"A complaint of {PERSON}.",
            **MINE,
        ),
        entry("call:theirs", "theirs.mp3", source_manifests.AUDIO, transcript_path="theirs.jsonl", **THEIRS),
        entry("video:mine", "mine.mp4", source_manifests.VIDEO, keyframe_ocr_path="frames.txt", **MINE),
        entry("image:mine", "mine.png", source_manifests.DOCUMENT, ocr_path="page.txt", **MINE),
    )
    path = tmp_path / "course.json"
    path.write_text(json.dumps(delivered))
    verdicts = run_kinds(path)
    assert {kind: fates(each) for kind, each in verdicts.items() if each.exit_code == 0} == {
        "ticket_v1": {"landed": 2},
        CALL: {"landed": 2},
        VIDEOS.kind: {"landed": 1},
        IMAGE: {"landed": 1},
        TEXT: {"landed": 2},
        TRANSCRIPT: {"landed": 4},
    }
    done = erase_person()
    left = "select record_kind, record_key from bronze.visible_event order by 1, 2"
    assert rows(empty, left) == [
        (CALL, "call:theirs"),
        ("ticket_v1", "TKT-20260417-000002"),
        (TRANSCRIPT, "call:theirs:1"),
        (TRANSCRIPT, "call:theirs:2"),
    ]
    assert shown(empty, "serving") == ["call:theirs"]
    assert [*rows(empty, "select segment_id from serving.transcript_line order by 1")] == [
        ("call:theirs:1",),
        ("call:theirs:2",),
    ]
    assert erased(empty) == ["call:mine", "image:mine", "image:mine:ocr", "video:mine", "video:mine:keyframe_ocr"]
    kept = b"".join(each.read_bytes() for each in settings().raw_zone.rglob("*") if each.is_file())
    gone = [files[name] for name in ("mine.wav", "mine.mp4", "mine.png", "frames.txt", "page.txt")]
    assert [content for content in (*gone, b"the one who called", PERSON.encode()) if content in kept] == []
    # What upstream says of its files is upstream's: it is kept, and told by name.
    assert {Path(each).name for each in done.source_paths} == {
        *("course.json", "tickets.jsonl", "mine.wav", "mine.jsonl", "mine.mp4", "frames.txt", "mine.png", "page.txt")
    }
    assert done.mention_count == len(verdicts)
    # Another delivery of the same call brings nobody back, and the parts still are what was delivered.
    again = {**delivered, "manifest_id": "manifest-course-20260425-001", "assets": delivered["assets"][1:2]}
    path.with_name("again.json").write_text(json.dumps(again))
    assert {kind: fates(each) for kind, each in run_kinds(path.with_name("again.json")).items()} == {
        CALL: {"erased": 1},
        TRANSCRIPT: {"erased": 2},
    }
    assert len(rows(empty, left)) == 4
    assert rows(empty, "select table_name, check_name, detail from reconcile.reconcile_finding") == []
    assert evidence_faults(empty) == []
    assert reconciled(empty) == proved_whole(empty)
