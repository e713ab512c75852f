"""An ingest of calls and of their transcripts that is killed on its way, beside older ones that are released: what is
shown is never a mixture, and a retry ends as if nothing had happened."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from loader.errors import RefusedError
from loader.warehouse import Warehouse
from tests import documents
from tests.crash.forked import killed
from tests.crash.test_crash_matrix import when_the_lock_is_free
from tests.ingests import evidence_faults, rows, run_kinds
from tests.media import CALLS
from tests.proofs import proved_whole, reconciled
from tests.recoveries import recover
from tests.states import States
from tests.transcripts import TRANSCRIPT, deliver, segment, transcript

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed")]

_EXECUTION = "loader.ingest.execution"
# The first kind of an ingest is that of the calls.
POINTS = {
    "calls: facts are kept, not committed": f"{_EXECUTION}:keep_facts:after:1",
    "calls: completion, all but committed": f"{_EXECUTION}:complete:after:1",
    "calls: released, not committed": "loader.release.publish:publish:after:1",
    "the calls' run is over": "loader.ingest.run:_ingest:after:1",
    "transcripts: the run is recorded": "loader.runs.ledger:Ledger.start:after:2",
    "transcripts: judged by the gate": f"{_EXECUTION}:inspect_manifest:after:2",
    "transcripts: one of three is archived": "loader.raw_zone.archive:RawZone.put:after:2",
    "transcripts: everything is archived": f"{_EXECUTION}:Execution.archive:after:2",
    # The record of the call comes before.
    "transcripts: in the middle of one": "loader.kinds.judge:Ruleset.judge:after:3",
    "transcripts: segments are loaded": "loader.bronze.load:BronzeLoader.load:after:2",
    "transcripts: completion, all but committed": f"{_EXECUTION}:complete:after:2",
    "transcripts: landed": f"{_EXECUTION}:Execution.land:after:2",
    "transcripts: built": "loader.ingest.proving:run_dbt:after:2",
    "transcripts: released, not committed": "loader.release.publish:publish:after:2",
    "the run has ended, nobody was told": "loader.ingest.proving:Proving.conclude:after:2",
}
QUICK = ("the calls' run is over", "transcripts: segments are loaded")
_LINES = """
select source_fingerprint, declaration, line_number, byte_length, kind, event_id from bronze.asset_line
inner join ops.source_asset using (asset_id) order by 1, 2, 3
"""
_LEFT = {
    "assets": "select source_fingerprint, declaration, raw_zone_key from ops.source_asset order by 1, 2",
    "facts": "select source_fingerprint, asset_type, facts, reason_code from ops.asset_facts order by 1, 2",
    "events": "select event_id, raw_payload, partition_key from bronze.record_event order by 1",
    "lines": _LINES,
    "fates": "select record_key, event_fate from reconcile.reconcile_event order by 1, 2",
    "calls": "select source_id, content_sha256, version_count from serving.call_asset order by 1",
    "links": "select record_key, link_fault from reconcile.reconcile_link order by 1, 2",
    "days": "select record_kind, partition_key, is_complete from reconcile.reconcile_partition order by 1, 2",
}
_SHOWN = "select segment_id, end_seconds::float from serving.transcript_line order by 1"
_OLD = [("old:1", 1.5), ("old:2", 3.5), ("old:3", 5.5)]
_NEW = [("new:1", 0.5), ("old:1", 1.0)]


def a_recording_with_its_transcript(root: Path) -> list[Path]:
    """A state (tests/states.py): a call with a long transcript is released; a newer and shorter one of it waits, with
    another call and its transcript."""
    calls = [
        documents.deliver(
            root / "calls",
            of,
            {f"{of}-2026-04-17.{ending}": CALLS.good[ending]},
            of=CALLS.kind,
            **{of: {"entry": {"source_id": of}}},
        )
        for of, ending in (("old", "wav"), ("new", "ogg"))
    ]
    first = deliver(root, "first", {"old-2026-04-17.jsonl": transcript(3)}, old={"entry": {"sequence": 1}})
    verdicts = run_kinds(calls[0], first)
    assert [verdict.exit_code for verdict in verdicts.values()] == [0, 0], verdicts
    second = {
        "old-2026-04-18.jsonl": [segment(1, end_seconds=1)],
        "new-2026-04-18.jsonl": [segment(1, end_seconds=0.5), b"{broken", b""],
    }
    return [calls[1], deliver(root, "second", second)]


def _ingest(manifests: list[Path]) -> int:
    return max(verdict.exit_code for verdict in run_kinds(*manifests).values())


def _left(database: Warehouse) -> dict[str, Any]:
    return {name: rows(database, statement) for name, statement in _LEFT.items()}


@pytest.fixture(scope="module")
def expected(states: States) -> dict[str, Any]:
    """What an ingest leaves that nobody disturbs."""
    with states.begin(a_recording_with_its_transcript, LOADER_REJECT_LIMIT="0.9") as state:
        assert rows(state.database, _SHOWN) == _OLD
        assert _ingest(state.made) == 0
        assert rows(state.database, _SHOWN) == _NEW
        return _left(state.database)


@pytest.mark.parametrize(
    "point", [pytest.param(name, id=name, marks=[] if name in QUICK else [pytest.mark.long]) for name in POINTS]
)
def test_a_retry_ends_what_was_killed(point: str, expected: dict[str, Any], states: States) -> None:
    """Prevents half a transcript, the end of an older one behind a newer one, a call without its transcript for good,
    and one of two kinds that a retry of the other forgets."""
    with states.begin(a_recording_with_its_transcript, LOADER_WORKERS="0", LOADER_REJECT_LIMIT="0.9") as state:
        killed(lambda: _ingest(state.made), POINTS[point])
        when_the_lock_is_free(state.database)
        assert rows(state.database, _SHOWN) == (_NEW if point == "the run has ended, nobody was told" else _OLD)
        # One that had ended is not retried; nor is the kind that had not begun.
        with suppress(RefusedError):
            assert recover("retry", run_id=None).exit_code == 0
        assert _ingest(state.made) == 0
        assert rows(state.database, _SHOWN) == _NEW
        assert _left(state.database) == expected
        orphans = "select count(*) from bronze.record_event where _dlt_load_id not in"
        assert rows(state.database, f"{orphans} (select load_id from ops.completed_load)") == [(0,)]
        assert not list((state.folder / "raw_zone" / "incoming").iterdir())
        assert evidence_faults(state.database) == []
        assert reconciled(state.database) == proved_whole(state.database)
        again = run_kinds(*state.made)
        assert {kind: verdict.facts.inserted for kind, verdict in again.items()} == {CALLS.kind: 0, TRANSCRIPT: 0}
