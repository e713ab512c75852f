"""Transcripts: lines whose recording and day their file's entry says, and which count whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loader.ingest import IngestRequest, Verdict
from loader.ingest.dry_run import dry_run
from loader.kinds import load_ruleset
from loader.raw_zone import RawZone
from loader.status import read_status
from loader.trace import Asked, trace
from loader.verify import verify_run
from loader.warehouse import Warehouse
from tests import documents
from tests.checkouts import ROOT
from tests.ingests import DAY, evidence_faults, fates, rows, run, run_kinds, settings
from tests.media import CALLS
from tests.proofs import proved_whole, reconciled
from tests.transcripts import TRANSCRIPT, deliver, segment, transcript

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed", "loader_environment")]

SAME_DAY = {"recorded_at": "2026-04-17T23:59:59Z"}
SHOWN = "select segment_id, start_seconds::float from {}.transcript_line order by linked_source_id, segment_number"
FATES = "select record_key, event_fate from reconcile.reconcile_event where record_kind = %s order by 1, 2"


def shown(database: Warehouse, layer: str = "silver") -> list[tuple[Any, ...]]:
    return rows(database, SHOWN.format(layer))


def keys(database: Warehouse, layer: str = "silver") -> list[str]:
    return [str(key) for key, _ in shown(database, layer)]


def settled(database: Warehouse, verdict: Verdict) -> None:
    """What was proved of the changes is what a proof of everything says, and the archive says it, too."""
    assert rows(database, "select table_name, check_name, detail from reconcile.reconcile_finding") == []
    assert reconciled(database) == proved_whole(database)
    assert evidence_faults(database) == []
    ruleset = load_ruleset(ROOT / "contracts", TRANSCRIPT)
    found = verify_run(database, RawZone(settings().raw_zone), ruleset, verdict.facts.run["run_id"])
    assert found.is_proved, found


def test_a_segment_is_of_the_recording_and_the_day_that_its_files_entry_says(
    database: Warehouse, tmp_path: Path
) -> None:
    """Prevents segments of no recording, free text that readers see, and a warning that stays when the call comes."""
    first = run(
        deliver(
            tmp_path,
            "first",
            {"call-2026-04-17.jsonl": transcript(3), "gone-2026-04-18.jsonl": transcript(1)},
            call={"language": "en"},
        )
    )
    assert (first.exit_code, fates(first), first.facts.warnings) == (0, {"landed": 4}, {"link_missing": 4}), first
    expected = [("call:1", 0.0), ("call:2", 2.0), ("call:3", 4.0), ("gone:1", 0.0)]
    assert shown(database) == shown(database, "serving") == expected
    held = rows(
        database,
        "select distinct partition_key::text, recorded_at::date::text, linked_source_id, language, speaker,"
        " asset_type from serving.transcript_line where linked_source_id = 'call'",
    )
    assert held == [("2026-04-17", "2026-04-17", "call", "en", "agent", "jsonl")]
    for layer in ("silver", "serving", "release"):
        whole = f"select count(*) from {layer}.transcript_line as held where held::text like '%%sentence%%'"
        assert rows(database, whole) == [(0,)]
    call = documents.deliver(
        tmp_path / "calls",
        "first",
        {"call-2026-04-17.wav": CALLS.good["wav"]},
        of=CALLS.kind,
        call={"entry": {"source_id": "call"}},
    )
    assert run(call).exit_code == 0
    missing = (
        "select record_key, linked_kind, linked_key from reconcile.reconcile_link where link_fault = 'link_missing'"
    )
    assert rows(database, missing) == [("gone:1", "call_v1 or video_v1", "gone")]
    settled(database, first)


def test_a_bad_line_has_its_reason_and_the_day_and_its_siblings_are_released(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a broken line of a day that nobody is shown, and a line that says of which call it is."""
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.9")
    bad = {
        "duplicate_key": segment(2, linked_source_id="other"),
        "ends_before_start": segment(3, end_seconds=1),
        "malformed_json": b'{"start_seconds":',
        "pattern_mismatch": segment(5, speaker="Maria Lopez"),
    }
    verdict = run(deliver(tmp_path, "first", {"call-2026-04-17.jsonl": [segment(1), *bad.values(), b"", segment(7)]}))
    assert (verdict.exit_code, fates(verdict)) == (0, {"landed": 2, "rejected": 4, "blank": 1}), verdict.problems
    assert keys(database, "serving") == ["call:1", "call:7"]
    rejects = (
        "select line_number, reason_codes[1], partition_key::text, raw_line from bronze.rejected_record order by 1"
    )
    found = rows(database, rejects)
    assert [each[:3] for each in found] == [(number, code, "2026-04-17") for number, code in enumerate(bad, start=2)]
    # What is kept of a rejected line is the line alone.
    assert bytes(found[2][3]) == bad["malformed_json"]
    settled(database, verdict)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_newer_transcript_of_a_recording_counts_whole(database: Warehouse, tmp_path: Path, is_late: bool) -> None:
    """Prevents the end of an older, longer transcript that stands behind a newer one, whichever comes first."""
    other = run(deliver(tmp_path, "other", {"other-2026-04-17.jsonl": transcript(2)}))
    assert other.exit_code == 0
    parts = [
        deliver(tmp_path, "old", {"call-2026-04-17.jsonl": transcript(4)}, call={"entry": {"sequence": 1}}),
        deliver(
            tmp_path,
            "new",
            {"call-2026-04-17.jsonl": [segment(1), segment(2, end_seconds=9)]},
            call={"entry": {"sequence": 2}},
        ),
    ]
    for part in reversed(parts) if is_late else parts:
        verdict = run(part)
        assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), verdict.problems
    assert keys(database) == keys(database, "serving") == ["call:1", "call:2", "other:1", "other:2"]
    assert rows(database, "select end_seconds::int from silver.transcript_line where segment_id = 'call:2'") == [(9,)]
    replaced = [("call:1", "silver"), ("call:1", "superseded"), ("call:2", "silver"), ("call:2", "superseded")]
    replaced += [("call:3", "superseded"), ("call:4", "superseded")]
    assert rows(database, FATES, TRANSCRIPT) == [*replaced, ("other:1", "silver"), ("other:2", "silver")]
    settled(database, verdict)
    for key, fate in (("call:1", "current"), ("call:3", "replaced")):
        found = trace(settings(), database, Asked(key=key))
        assert [link for link in found.links if link.is_broken] == []
        assert (found.versions[0].fate, found.versions[-1].fate) == (fate, "replaced")


def test_segments_that_do_not_fit_are_told_and_keep_nothing_back(database: Warehouse, tmp_path: Path) -> None:
    """Prevents a transcript of another call that nobody hears of, one whose segments overlap, and a day of transcripts
    that waits for a vendor; a newer one heals it, and so does another recording."""
    segments = {
        # One second is what the recording has, and a fiftieth of it is let pass.
        "late": [segment(1, end_seconds=1.02), segment(2, start_seconds=1.02, end_seconds=1.03)],
        "over": [segment(1, end_seconds=3), segment(2, start_seconds=2.5), segment(3)],
        "back": [segment(2), segment(1)],
        "fine": [segment(1, end_seconds=0.5), segment(2, start_seconds=0.5, end_seconds=1)],
    }
    verdict = run(deliver(tmp_path, "first", {f"{of}-2026-04-17.jsonl": said for of, said in segments.items()}))
    assert (verdict.exit_code, verdict.facts.warnings) == (0, {"link_missing": 9, "segment_misplaced": 2})
    misplaced = "select record_key from reconcile.reconcile_link where link_fault = 'segment_misplaced' order by 1"
    assert rows(database, misplaced) == [("back:2",), ("over:2",)]
    assert len(keys(database, "serving")) == 9
    calls = {f"{of}-2026-04-17.wav": CALLS.good["wav"] for of in ("late", "fine")}
    named = {of: {"entry": {"source_id": of}} for of in ("late", "fine")}
    call = run(documents.deliver(tmp_path / "calls", "first", calls, of=CALLS.kind, **named))
    assert call.exit_code == 0
    assert rows(database, misplaced) == [("back:2",), ("late:2",), ("over:2",)]
    (told,) = [link for link in read_status(database, DAY).links if link["fault"] == "segment_misplaced"]
    assert told["detail"].startswith("3 segments overlap, run backwards or end late in 3 of call_v1 or video_v1 (")
    missing = "select link_missing_count::int from reconcile.reconcile_partition where record_kind = %s"
    assert rows(database, missing, TRANSCRIPT) == [(5,)]
    newer = run(deliver(tmp_path, "new", {"late-2026-04-18.jsonl": [segment(1, end_seconds=1)]}, late=SAME_DAY))
    assert (newer.exit_code, newer.proof.name) == (0, "changes"), newer.problems
    assert rows(database, misplaced) == [("back:2",), ("over:2",)]
    settled(database, newer)


def test_two_transcripts_that_nothing_orders_are_told_and_one_counts(database: Warehouse, tmp_path: Path) -> None:
    """Prevents a mixture of two writers' transcripts, which would be told by nobody."""
    place = {"call": {"entry": {"sequence": 7}}}
    one, other = transcript(3, speaker="A"), transcript(2, speaker="B")
    first = run(deliver(tmp_path, "one", {"call-2026-04-17.jsonl": one}, **place))
    assert "tie_unordered" not in first.facts.warnings
    second = run(deliver(tmp_path, "other", {"call-2026-04-17.jsonl": other}, **place))
    assert (second.exit_code, second.facts.warnings["tie_unordered"]) == (0, 5)
    speakers = rows(database, "select speaker, count(*)::int from silver.transcript_line group by speaker")
    assert speakers in ([("A", 3)], [("B", 2)])
    assert rows(database, "select count(*)::int from reconcile.reconcile_tie") == [(2,)]
    settled(database, second)


def test_a_transcript_is_withheld_with_its_recording_until_that_is_mended(database: Warehouse, tmp_path: Path) -> None:
    """Prevents the words of a call that the gate keeps from everybody from reaching readers by a manifest of their own,
    and a transcript that stays away once its call is there."""
    wav = CALLS.good["wav"]

    def calls(name: str, **entries: dict[str, Any]) -> Path:
        named = {of: {"entry": {"source_id": of, **entry}} for of, entry in entries.items()}
        files = {f"{of}-2026-04-17.wav": wav for of in named}
        return documents.deliver(tmp_path / "calls", name, files, of=CALLS.kind, **named)

    doubtful = calls("doubtful", kept={"pii_scan_status": "suspected"}, fine={})
    days = {"kept-2026-04-18.jsonl": transcript(1), "fine-2026-04-17.jsonl": transcript(2)}
    texts = deliver(tmp_path, "texts", days)
    asked = IngestRequest(manifest_paths=(texts, doubtful))
    forecast = dry_run(settings(), asked, lambda line: None)
    assert {each.source_id: each.reason_codes for each in forecast.assets if each.outcome == "fail"} == {
        "kept": ("pii_suspected",),
        "kept-2026-04-18.jsonl": ("media_not_admitted",),
    }
    for _ in range(2):
        verdict = run_kinds(texts, doubtful)[TRANSCRIPT]
        assert verdict.exit_code == 1
        (problem,) = verdict.problems
        assert "'kept', which it belongs to, was not admitted" in problem.message
        assert keys(database) == keys(database, "serving") == ["fine:1", "fine:2"]
    run(calls("mended", kept={}))
    # By itself, too: the recording was judged before.
    healed = run(texts)
    assert (healed.exit_code, fates(healed)) == (0, {"landed": 3}), healed.problems
    assert keys(database, "serving") == ["fine:1", "fine:2", "kept:1"]
    settled(database, healed)
