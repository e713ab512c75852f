"""An ingest of documents that is killed on its way, beside tickets that are released: a retry ends as if nothing had
happened, and no file is read for nothing."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from loader.errors import RefusedError
from loader.warehouse import Warehouse
from tests.crash.forked import killed
from tests.crash.test_crash_matrix import when_the_lock_is_free
from tests.documents import HTML, MARKDOWN, PDF, deliver
from tests.ingests import SILVER_OF_DOCUMENTS, declare, evidence_faults, rows, run, silver, ticket, write_export
from tests.recoveries import recover
from tests.states import States

pytestmark = [pytest.mark.media, pytest.mark.usefixtures("replayed")]

_EXECUTION = "loader.ingest.execution"
POINTS = {
    "the run is recorded": "loader.runs.ledger:Ledger.start:after:1",
    "the facts of one file are read": "loader.facts.process:FactsReader.read:after:1",
    "one of four files is archived": "loader.raw_zone.archive:RawZone.put:after:1",
    "facts are kept, not committed": f"{_EXECUTION}:keep_facts:after:1",
    "everything is archived": f"{_EXECUTION}:Execution.archive:after:1",
    "the second record is judged": "loader.kinds.judge:Ruleset.judge:after:2",
    "the records are loaded": "loader.bronze.load:BronzeLoader.load:after:1",
    "completion: all but committed": f"{_EXECUTION}:complete:after:1",
    "landed": f"{_EXECUTION}:Execution.land:after:1",
    "built": "loader.ingest.proving:run_dbt:after:1",
    "released, not committed": "loader.release.publish:publish:after:1",
    "the run has ended, nobody was told": "loader.ingest.proving:Proving.conclude:after:1",
}
QUICK = ("facts are kept, not committed", "the records are loaded")
_OF_DOCUMENTS = "asset_id in (select asset_id from ops.source_asset where record_kind = 'document_v1')"
_LEFT = {
    "assets": "select source_fingerprint, declaration, raw_zone_key, content_bytes from ops.source_asset"
    " where record_kind = 'document_v1' order by 1, 2",
    "facts": "select source_fingerprint, asset_type, facts, estimated, reason_code from ops.asset_facts order by 1, 2",
    "events": "select event_id, raw_payload, partition_key from bronze.raw_doc_asset order by 1",
    "lines": "select source_fingerprint, line_number, byte_length, kind, event_id from bronze.asset_line"
    " inner join ops.source_asset using (asset_id) where record_kind = 'document_v1' order by 1, 2, 5",
    "rejects": f"select partition_key, raw_line, reason_codes from bronze.rejected_record where {_OF_DOCUMENTS}",
    "served": "select source_id, content_sha256, version_count from serving.knowledge_doc order by 1",
    "tickets": "select to_jsonb(t) from serving.ticket_fact as t order by ticket_id",
    "days": "select record_kind, partition_key, is_complete from reconcile.reconcile_partition order by 1, 2",
    "state": "select dataset, state_kind, case when state_kind <> 'checkpoint' then value_at end from ops.ingest_state"
    " order by 1, 2",
}


def tickets_and_a_manifest_of_documents(root: Path) -> Path:
    """A state (tests/states.py): tickets that are released; documents of two days, one of which is no PDF."""
    write_export(root / "e" / "tickets-2026-04-17.jsonl", [ticket(number) for number in (1, 2, 3)])
    verdict = run(declare(root / "e"))
    assert verdict.exit_code == 0, verdict.problems
    files = {
        "guide-2026-04-17.pdf": PDF,
        "limits-2026-04-17.html": HTML,
        "forged-2026-04-18.pdf": HTML,
        "queues-2026-04-18.md": MARKDOWN,
    }
    return deliver(root, "documents", files, guide={"language": "en"})


def _left(database: Warehouse) -> dict[str, Any]:
    return {
        **{name: rows(database, statement) for name, statement in _LEFT.items()},
        "silver": silver(database, SILVER_OF_DOCUMENTS),
    }


@pytest.fixture(scope="module")
def expected(states: States) -> dict[str, Any]:
    """What an ingest leaves that nobody disturbs."""
    with states.begin(tickets_and_a_manifest_of_documents) as state:
        verdict = run(state.made)
        assert (verdict.exit_code, verdict.status) == (0, "warning"), verdict.problems
        return _left(state.database)


@pytest.mark.parametrize(
    "point", [pytest.param(name, id=name, marks=[] if name in QUICK else [pytest.mark.long]) for name in POINTS]
)
def test_a_retry_ends_what_was_killed(point: str, expected: dict[str, Any], states: States) -> None:
    """Prevents a document that is archived and has no record, one with two, facts that were kept of nothing, and a
    ticket that is lost on the way."""
    with states.begin(tickets_and_a_manifest_of_documents, LOADER_WORKERS="0") as state:
        killed(lambda: run(state.made).exit_code, POINTS[point])
        when_the_lock_is_free(state.database)
        assert rows(state.database, _LEFT["tickets"]) == expected["tickets"]
        # One that had ended is not retried.
        with suppress(RefusedError):
            assert recover("retry", run_id=None).exit_code == 0
        assert _left(state.database) == expected
        assert rows(
            state.database,
            "select count(*) from bronze.record_event where _dlt_load_id not in"
            " (select load_id from ops.completed_load)",
        ) == [(0,)]
        assert evidence_faults(state.database) == []
        assert not list((state.folder / "raw_zone" / "incoming").iterdir())
        again = run(state.made)
        assert (again.exit_code, again.facts.inserted, again.facts.skipped) == (0, 0, 3)
