"""A manifest of the course's dialect with files of five kinds, from the gate to what readers see, and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.errors import RefusedError
from loader.ingest import IngestRequest, Verdict, ingest_kinds
from loader.ingest.dry_run import dry_run
from loader.kinds import load_ruleset
from loader.raw_zone import RawZone
from loader.recovery import apply_plan
from loader.silver import run_dbt
from loader.trace import Asked, trace
from loader.verify import verify_run
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.documents import HTML, PDF
from tests.ingests import as_line, evidence_faults, fates, rows, run_kinds, settings, ticket
from tests.media import CALLS, IMAGES, VIDEOS
from tests.proofs import proved_whole, reconciled
from tests.recoveries import backfill_window, failing, planned, recover
from tests.shared_warehouse import Kept, kept, own_warehouse
from tests.source_manifests import AUDIO, DOCUMENT, TICKET, VIDEO, asset, manifest

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed")]

ID = "manifest-course-20260424-001"
TICKETS = b"".join(as_line(ticket(number)) + b"\n" for number in (1, 2, 3))
FILES = {
    "manual.pdf": PDF,
    "page.html": HTML,
    "shot.png": IMAGES.good["png"],
    "call.wav": CALLS.good["wav"],
    "shown.mp4": VIDEOS.good["mp4"],
    "tickets.jsonl": TICKETS,
    "table.csv": b"a,b\n",
    "shot.ocr.txt": b"Restart the gateway\n",
    "call.jsonl": b"".join(
        # The course's own names.
        b'{"start_ts": %d, "end_ts": %d, "speaker": "narrator", "text": "Hold the button."}\n' % (place, place + 1)
        for place in range(2)
    ),
}
DAY = "2026-04-17T10:00:00Z"


def _asset(source_id: str, name: str, asset_type: str, **changes: Any) -> dict[str, Any]:
    content = FILES.get(name, b"")
    declared = {"checksum_sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content) or None}
    path = {"source_url_or_path": f"media/{name}", "asset_type": asset_type, "captured_at": DAY}
    return asset(source_id, **{**path, **declared, **changes})


ASSETS = (
    _asset("doc:manual", "manual.pdf", "pdf", language="en", notes="Pages of text."),
    _asset("doc:undated", "page.html", "faq", captured_at=None),
    _asset(
        "image:shot",
        "shot.png",
        "image",
        contract_ref=DOCUMENT,
        ticket_id="TKT-20260417-000001",
        ocr_text_path="media/shot.ocr.txt",
    ),
    _asset("audio:call", "call.wav", "audio", contract_ref=AUDIO, duration_sec=1.0, transcript_path="media/call.jsonl"),
    _asset(
        "video:shown",
        "shown.mp4",
        "video",
        contract_ref=VIDEO,
        pii_scan_status="redacted",
        keyframe_ocr_path="media/gone.txt",
    ),
    _asset(
        "tickets", "tickets.jsonl", "jsonl", contract_ref=TICKET, captured_at=None, pii_scan_status="not_applicable"
    ),
    _asset("doc:gone", "gone.pdf", "pdf", captured_at="2026-05-01T00:00:00Z", checksum_sha256="1" * 64),
    _asset("doc:placeholder", "page.html", "html", captured_at="2026-05-02T00:00:00Z", checksum_sha256="2" * 64),
    _asset(
        "doc:bucket",
        "b.pdf",
        "pdf",
        captured_at="2026-05-03T00:00:00Z",
        source_url_or_path="s3://omni-raw/manuals/b.pdf",
    ),
    _asset("doc:table", "table.csv", "csv", captured_at="2026-05-04T00:00:00Z"),
    _asset("audio:wrong", "call.wav", "wav", contract_ref=AUDIO, captured_at="2026-05-05T00:00:00Z", duration_sec=5),
    _asset(
        "image:call",
        "shot.png",
        "png",
        contract_ref=AUDIO,
        captured_at="2026-05-06T00:00:00Z",
        ocr_path="media/shot.ocr.txt",
    ),
)
_BESIDE = (
    {"source_id": "image:shot:ocr", "source_url_or_path": "media/shot.ocr.txt"},
    {"source_id": "audio:call:transcript", "source_url_or_path": "media/call.jsonl"},
)
# What is admitted of each kind, and what is not, with its reasons.
ADMITTED = {
    "document_v1": {"doc:manual": [], "doc:undated": ["recorded_at_assumed"]},
    "image_v1": {"image:shot": []},
    "call_v1": {"audio:call": []},
    "video_v1": {"video:shown": []},
    "ticket_v1": {"tickets": []},
    "ocr_text_v1": {"image:shot:ocr": []},
    "transcript_line_v1": {"audio:call:transcript": []},
}
WITHHELD = {
    "document_v1": {
        "doc:gone": ["asset_missing"],
        "doc:placeholder": ["checksum_mismatch"],
        "doc:bucket": ["path_outside_roots"],
        "doc:table": ["asset_type_not_read"],
    },
    "image_v1": {"image:call": ["contract_mismatch"]},
    "call_v1": {"audio:wrong": ["contract_mismatch"]},
    # One is not there; the other one has no picture.
    "ocr_text_v1": {"video:shown:keyframe_ocr": ["asset_missing"], "image:call:ocr": ["media_not_admitted"]},
}


@dataclass(frozen=True, slots=True)
class Scene:
    root: Path
    kept: Kept
    verdicts: Mapping[str, Verdict]
    manifest: Path


def _deliver(root: Path, said: dict[str, Any]) -> Path:
    """The manifest two folders below the root that its paths begin at."""
    (root / "media").mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        (root / "media" / name).write_bytes(content)
    folder = root / "data" / "seed_manifests"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "course.json"
    path.write_text(json.dumps(said, indent=2))
    return path


@pytest.fixture(scope="module")
def scene(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    root = tmp_path_factory.mktemp("course")
    delivered = _deliver(root, manifest(*ASSETS, notes="Twelve files.", ingest_config={"parser": "auto"}))
    with own_warehouse(server, _template, root, LOADER_ALLOWED_ROOTS=str(root)) as database:
        verdicts = run_kinds(delivered)
        with kept(server, database) as before:
            yield Scene(root, before, verdicts, delivered)


@pytest.fixture
def database(scene: Scene) -> Warehouse:
    return scene.kept.fresh()


def _entries(database: Warehouse, dispositions: tuple[str, ...]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for kind, source_id, codes in rows(
        database,
        "select contract_ref, source_id, reason_codes from ops.manifest_asset"
        " inner join ops.manifest using (manifest_id)"
        " where disposition = any(%s) order by ordinal",
        list(dispositions),
    ):
        found.setdefault(kind, {})[source_id] = codes
    return found


def test_every_file_has_a_judgement_under_its_kind(scene: Scene) -> None:
    """Prevents a file of a mixed batch that no run saw, and a good one that waits for a bad sibling."""
    database = scene.kept.database
    assert _entries(database, ("admitted",)) == ADMITTED
    assert _entries(database, ("withheld", "missing")) == WITHHELD
    assert rows(
        database,
        "select manifest_id, declared_asset_count, admitted_asset_count, withheld_asset_count, missing_asset_count"
        " from reconcile.reconcile_manifest order by 1",
    ) == [
        (f"{ID}.call_v1", 2, 1, 1, 0),
        (f"{ID}.document_v1", 6, 2, 3, 1),
        (f"{ID}.image_v1", 2, 1, 1, 0),
        (f"{ID}.ocr_text_v1", 3, 1, 1, 1),
        (f"{ID}.ticket_v1", 1, 1, 0, 0),
        (f"{ID}.transcript_line_v1", 1, 1, 0, 0),
        (f"{ID}.video_v1", 1, 1, 0, 0),
    ]
    assert {kind: fates(verdict) for kind, verdict in scene.verdicts.items()} == {
        "document_v1": {"landed": 2},
        "image_v1": {"landed": 1},
        "call_v1": {"landed": 1},
        "video_v1": {"landed": 1},
        "ticket_v1": {"landed": 3},
        "ocr_text_v1": {"landed": 1},
        "transcript_line_v1": {"landed": 2},
    }


def test_readers_see_the_siblings_of_what_is_bad(scene: Scene) -> None:
    """Prevents a missing file that keeps the day of another one back."""
    shown = rows(
        scene.kept.database,
        "select record_kind, source_id, partition_key::text from serving.media_asset"
        " union all select 'document_v1', source_id, partition_key::text from serving.knowledge_doc"
        " union all select 'ticket_v1', ticket_id, partition_key::text from serving.ticket_fact order by 1, 2",
    )
    assert shown == [
        ("call_v1", "audio:call", "2026-04-17"),
        ("document_v1", "doc:manual", "2026-04-17"),
        ("document_v1", "doc:undated", "2026-04-24"),
        ("image_v1", "image:shot", "2026-04-17"),
        *(("ticket_v1", f"TKT-20260417-00000{number}", "2026-04-17") for number in (1, 2, 3)),
        ("video_v1", "video:shown", "2026-04-17"),
    ]


def test_what_landed_is_proved_and_told(scene: Scene) -> None:
    """Prevents a translation whose source is lost, and a file of which nobody knows where it was found."""
    database = scene.kept.database
    delivered = scene.manifest.read_bytes()
    ((kept_bytes,),) = rows(database, "select distinct delivered_bytes from ops.manifest")
    assert bytes(kept_bytes) == delivered
    assert evidence_faults(database) == []
    for kind, verdict in scene.verdicts.items():
        run_id = verdict.facts.run["run_id"]
        assert verify_run(
            database, RawZone(settings().raw_zone), load_ruleset(ROOT / "contracts", kind), run_id
        ).is_proved
        (told,) = rows(
            database,
            "select convert_from(content, 'UTF8')::jsonb from ops.run_evidence"
            " where run_id = %s and report_path like '%%/_run/%%'",
            run_id,
        )
        assert told[0]["translations"] == [
            {
                "manifest_id": f"{ID}.{kind}",
                "dialect": "source_manifest_v1",
                "delivered_manifest_id": ID,
                "delivered_sha256": hashlib.sha256(delivered).hexdigest(),
                "kept": ["ingest_config", "notes", "owner"],
            }
        ]
        found = {each["source_id"]: each["found_path"] for each in told[0]["assets"]}
        assert {name: found[name] for name in ADMITTED[kind]} == {
            each["source_id"]: str(scene.root / each["source_url_or_path"])
            for each in (*ASSETS, *_BESIDE)
            if each["source_id"] in ADMITTED[kind]
        }
        absent = WITHHELD.get(kind, {})
        assert [name for name, codes in absent.items() if found[name] is None] == [
            name for name in absent if name in ("doc:gone", "doc:bucket", "doc:table", "video:shown:keyframe_ocr")
        ]


def test_a_dry_run_says_the_same(scene: Scene, database: Warehouse) -> None:
    """Prevents a forecast that knows one kind only."""
    forecast = dry_run(settings(), IngestRequest(manifest_paths=(scene.manifest,)), lambda line: None)
    assert {asset.source_id for asset in forecast.assets if asset.outcome == "success"} == {
        name for kind in ADMITTED.values() for name in kind
    }
    report = json.loads(forecast.report_path.read_bytes())
    assert [each["manifest_id"] for each in report["translations"]] == [
        f"{ID}.{kind}"
        for kind in ("document_v1", "image_v1", "ocr_text_v1", "call_v1", "transcript_line_v1", "video_v1", "ticket_v1")
    ]
    assert report["translations"][0]["kept"] == ["ingest_config", "notes", "owner"]


def test_the_same_manifest_again_changes_nothing(scene: Scene, database: Warehouse) -> None:
    """Prevents a record twice for a manifest that is delivered again, and one kind that forgets the others."""
    tables = "select to_jsonb(asset) from ops.source_asset as asset order by asset_id"
    before, shown = rows(database, tables), rows(database, "select * from serving.knowledge_doc order by source_id")
    verdicts = run_kinds(scene.manifest)
    assert {action for each in verdicts.values() for action in _actions(each)} == {"unchanged", "withheld", "missing"}
    assert rows(database, tables) == before
    assert rows(database, "select * from serving.knowledge_doc order by source_id") == shown
    assert _entries(database, ("withheld", "missing")) == WITHHELD
    assert reconciled(database) == proved_whole(database)


def _actions(verdict: Verdict) -> set[str]:
    return {asset.action for asset in verdict.facts.assets}


def test_a_missing_file_that_comes_is_landed(scene: Scene, database: Warehouse) -> None:
    """Prevents a file that is withheld once from being withheld for good."""
    content = PDF.replace(b"wait", b"look")
    body = json.loads(scene.manifest.read_bytes())
    other = {**body, "manifest_id": "manifest-course-20260425-001"}
    other["assets"] = [
        {**body["assets"][6], "source_id": "doc:late", "checksum_sha256": hashlib.sha256(content).hexdigest()}
    ]
    path = scene.manifest.with_name("late.json")
    path.write_text(json.dumps(other))
    assert _actions(run_kinds(path)["document_v1"]) == {"missing"}
    (scene.root / "media" / "gone.pdf").write_bytes(content)
    try:
        assert _actions(run_kinds(path)["document_v1"]) == {"parsed"}
    finally:
        (scene.root / "media" / "gone.pdf").unlink()
    late = rows(database, "select partition_key::text from serving.knowledge_doc where source_id = 'doc:late'")
    # The other manifest still misses its own file of that day.
    assert late == []
    assert rows(database, "select partition_key::text from silver.knowledge_doc where source_id = 'doc:late'") == [
        ("2026-05-01",)
    ]


def test_one_kind_of_it_can_be_asked_for(scene: Scene, database: Warehouse) -> None:
    """Prevents KIND= from taking a manifest of five kinds whole, or not at all."""
    asked = IngestRequest(manifest_paths=(scene.manifest,), record_kind="call_v1")
    (only,) = ingest_kinds(settings(), asked)
    assert isinstance(only.outcome, Verdict)
    assert only.outcome.facts.manifest_ids == (f"{ID}.call_v1",)


def test_other_bytes_under_its_id_are_refused_for_every_kind(scene: Scene, database: Warehouse) -> None:
    """Prevents a batch that is edited after it was registered: even a note makes it another one."""
    path = scene.manifest.with_name("edited.json")
    path.write_text(json.dumps({**json.loads(scene.manifest.read_bytes()), "notes": "Twelve other files."}))
    runs = ingest_kinds(settings(), IngestRequest(manifest_paths=(path,)))
    assert len(runs) == 7
    for each in runs:
        assert isinstance(each.outcome, RefusedError)
        assert f"manifest {ID}.{each.record_kind}" in str(each.outcome)


@pytest.mark.parametrize("verb", ["replay", "rerun"])
def test_it_is_read_again_as_it_was(scene: Scene, database: Warehouse, verb: str) -> None:
    """Prevents a verb that reads the delivered manifest as one of another kind, or the files of all five."""
    before = rows(database, "select to_jsonb(t) from bronze.raw_audio_asset as t order by event_id")
    assert before
    asked = {"replay": {}, "rerun": {"reason": "tests"}}[verb]
    verdict = recover(verb, run_id=scene.verdicts["call_v1"].facts.run["run_id"], **asked)
    assert {asset.source_id for asset in verdict.facts.assets} == {"audio:call", "audio:wrong"}
    assert rows(database, "select to_jsonb(t) from bronze.raw_audio_asset as t order by event_id") == before
    assert reconciled(database) == proved_whole(database)


DAMAGES = {
    "translation_differs_from_delivery": "update ops.manifest set delivered_bytes = delivered_bytes || ' '",
    # A hash that fits hides an edit of the manifest alone; what was delivered does not change with it.
    "delivered_entry_missing": """
        delete from ops.run_asset where source_id = 'doc:table';
        delete from ops.manifest_asset where source_id = 'doc:table';
        update ops.manifest set declared_asset_count = declared_asset_count - 1, manifest_bytes = convert_to(
            (convert_from(manifest_bytes, 'UTF8')::jsonb #- '{assets,5}')::text, 'UTF8')""",
    "entry_not_delivered": """
        update ops.manifest set manifest_bytes = convert_to(replace(
            convert_from(manifest_bytes, 'UTF8'), '"doc:bucket"', '"doc:barrel"'), 'UTF8')""",
    "entry_differs_from_delivery": """
        update ops.manifest_asset set declared_checksum_sha256 = repeat('7', 64) where source_id = 'doc:gone';
        update ops.manifest set manifest_bytes = convert_to(replace(
            convert_from(manifest_bytes, 'UTF8'), repeat('1', 64), repeat('7', 64)), 'UTF8')""",
}


@pytest.mark.parametrize("check", DAMAGES)
def test_damage_to_what_was_translated_is_named(scene: Scene, database: Warehouse, check: str) -> None:
    """Prevents a file that was delivered and that the loader's own tables have agreed to forget."""
    found_by_check = "select check_name, record_kind, detail from reconcile.reconcile_finding"
    assert rows(database, found_by_check) == []
    of_documents = f"where manifest_id = '{ID}.document_v1'"
    rows(
        database,
        f"set session_replication_role = replica; {DAMAGES[check]} {of_documents};"
        f" update ops.manifest set manifest_sha256 = encode(sha256(manifest_bytes), 'hex') {of_documents}",
    )
    run_dbt(database, ROOT, ["build", "--select", "reconcile", "--exclude-resource-type", "unit_test"])
    found = rows(database, found_by_check)
    # Nobody knows the kind of a file that is gone from every table.
    kinds = {*ADMITTED} if check == "delivered_entry_missing" else {"document_v1"}
    assert {(name, kind) for name, kind, _ in found if name == check} == {(check, kind) for kind in kinds}, found
    assert all(detail for *_, detail in found)


def test_each_record_and_each_file_is_followed_with_every_link_sound(scene: Scene, database: Warehouse) -> None:
    """Prevents a manifest that is read as another dialect's, and looks edited to who follows a file of it."""
    records = rows(database, "select distinct record_kind, record_key from bronze.record_event")
    asked = [Asked(key=key, record_kind=kind) for kind, key in records]
    files = rows(database, "select source_id from ops.manifest_asset where asset_id is not null")
    asked += [Asked(line=f"{source_id}:1") for (source_id,) in files]
    assert len(asked) > 10
    assert {each: found.broken for each in asked if (found := trace(settings(), database, each)).broken} == {}


def _another(scene: Scene, **changes: Any) -> Path:
    """A manifest of a page and a picture, both of a day that no other one has."""
    day = "2026-06-01T00:00:00Z"
    said = manifest(
        _asset("doc:new", "page.html", "html", captured_at=day),
        _asset("image:new", "shot.png", "image", captured_at=day),
        **{"manifest_id": "manifest-course-20260601-001", **changes},
    )
    path = scene.manifest.with_name(f"{said['manifest_id']}.json")
    path.write_text(json.dumps(said))
    return path


def test_a_run_that_died_before_it_registered_is_tried_again(scene: Scene, database: Warehouse) -> None:
    """Prevents a retry that cannot find the part of its kind in the file that was delivered."""
    path = _another(scene)
    for kind in ("document_v1", "image_v1"):
        with failing("gate"), pytest.raises(OSError, match="No space left"):
            ingest_kinds(settings(), IngestRequest(manifest_paths=(path,), record_kind=kind))
    dead = rows(database, "select run_id::text, record_kind from ops.ingest_run where exit_code = 3 order by 2")
    assert [kind for _, kind in dead] == ["document_v1", "image_v1"]
    for run_id, kind in dead:
        verdict = recover("retry", run_id=run_id)
        assert (verdict.exit_code, verdict.facts.manifest_ids) == (0, (f"manifest-course-20260601-001.{kind}",))
    seen = "select count(*) from serving.{} where partition_key = '2026-06-01'"
    assert [rows(database, seen.format(name)) for name in ("knowledge_doc", "image_asset")] == [[(1,)], [(1,)]]


def test_a_backfill_takes_its_kind_from_the_delivered_file(scene: Scene, database: Warehouse) -> None:
    """Prevents a window of documents that lands nothing of a manifest of several kinds, or its pictures too."""
    path = _another(scene, manifest_id="manifest-course-20260602-001")
    window = backfill_window("2026-06-01", "2026-06-02", path, record_kind="document_v1")
    verdict = apply_plan(settings(), planned("backfill", **window))
    assert isinstance(verdict, Verdict)
    assert verdict.facts.manifest_ids == ("manifest-course-20260602-001.document_v1",)
    assert rows(database, "select source_id from silver.knowledge_doc where partition_key = '2026-06-01'") == [
        ("doc:new",)
    ]
    assert rows(database, "select 1 from silver.image_asset where partition_key = '2026-06-01'") == []
