"""An ingest that has two kinds to do is killed on its way, and two ingests of a kind each meet."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from loader.warehouse import Warehouse
from tests.crash.forked import ended, forked, killed
from tests.crash.test_crash_matrix import when_the_lock_is_free
from tests.ingests import (
    SILVER,
    SILVER_OF_COMMENTS,
    comment,
    declare,
    evidence_faults,
    rows,
    run,
    run_kinds,
    silver,
    ticket,
    write_export,
)
from tests.states import States

pytestmark = pytest.mark.usefixtures("replayed")

TICKETS, COMMENTS = "ticket_v1", "ticket_comment_v1"
# Days of both kinds, and one of each alone.
DAYS = {TICKETS: ("2026-04-16", "2026-04-17"), COMMENTS: ("2026-04-17", "2026-04-18")}
POINTS = {
    "the first kind's run is over": "loader.ingest.run:_ingest:after:1",
    "the second kind's run is recorded": "loader.runs.ledger:Ledger.start:after:2",
    "the second kind's lines are loaded": "loader.bronze.load:BronzeLoader.load:after:2",
    "the second kind is landed": "loader.ingest.execution:Execution.land:after:2",
    "the second kind is proved": "loader.ingest.proving:run_dbt:after:2",
    "the second kind is released, not committed": "loader.release.publish:publish:after:2",
    "the second kind's run has ended, nobody was told": "loader.ingest.proving:Proving.conclude:after:2",
}
QUICK = ("the first kind's run is over", "the second kind's lines are loaded")

_POINTERS = """
select record_kind, partition_key::text, data_release_id from release.partition_pointer
where data_release_id > 0 order by 1, 2
"""
_NOT_COMPLETE = "select record_kind, partition_key, obstacles from reconcile.reconcile_partition where not is_complete"
_ORPHANS = "select count(*) from bronze.record_event where _dlt_load_id not in (select load_id from ops.completed_load)"


def _exports(root: Path) -> list[Path]:
    """A manifest of each kind, the second one first: their order is not that of the runs."""
    for day in DAYS[TICKETS]:
        records: list[Any] = [
            ticket(number, ticket_id=f"TKT-{day.replace('-', '')}-{number:06d}", created_at=f"{day}T08:00:00Z")
            for number in range(1, 5)
        ]
        write_export(root / TICKETS / f"tickets-{day}.jsonl", [*records, records[0], b""])
    for day in DAYS[COMMENTS]:
        records = [
            comment(number, comment_id=f"CMT-{day.replace('-', '')}-{number:06d}", created_at=f"{day}T08:00:00Z")
            for number in range(1, 4)
        ]
        write_export(root / COMMENTS / f"comments-{day}.jsonl", [*records, records[0], b""])
    return [declare(root / kind, kind, kind=kind) for kind in (COMMENTS, TICKETS)]


def nothing_yet(root: Path) -> list[Path]:
    """A state (tests/states.py): two manifests, and an empty warehouse."""
    return _exports(root)


def undisturbed(root: Path) -> list[Any]:
    """A state: what is left by an ingest of both kinds that nobody disturbs."""
    verdicts = run_kinds(*_exports(root))
    assert {kind: verdict.exit_code for kind, verdict in verdicts.items()} == {TICKETS: 0, COMMENTS: 0}
    return []


def _left(database: Warehouse) -> dict[str, Any]:
    """Rows that readers and the next proof rely on, without those of the run that brought them."""
    return {
        TICKETS: silver(database, SILVER),
        COMMENTS: silver(database, SILVER_OF_COMMENTS),
        "shown": [(kind, day) for kind, day, _ in rows(database, _POINTERS)],
        "lines": rows(
            database,
            "select source_id, line_number, kind, event_id from bronze.asset_line"
            " inner join ops.manifest_asset using (asset_id) order by 1, 2",
        ),
        "state": rows(
            database,
            "select dataset, state_kind, case when state_kind <> 'checkpoint' then value_at end from ops.ingest_state"
            " order by 1, 2",
        ),
    }


@pytest.fixture
def expected(states: States) -> dict[str, Any]:
    with states.begin(undisturbed) as state:
        return _left(state.database)


def _ingest(manifests: list[Path]) -> int:
    return max(verdict.exit_code for verdict in run_kinds(*manifests).values())


def _assert_whole(database: Warehouse, expected: dict[str, Any]) -> None:
    assert _left(database) == expected
    assert rows(database, _NOT_COMPLETE) == []
    assert rows(database, _ORPHANS) == [(0,)]
    assert rows(database, "select nspname from pg_namespace where starts_with(nspname, 'bronze_staging')") == []
    assert evidence_faults(database) == []


@pytest.mark.parametrize(
    "point", [pytest.param(name, id=name, marks=[] if name in QUICK else [pytest.mark.long]) for name in POINTS]
)
def test_the_first_kind_stays_released_and_the_next_ingest_ends_whole(
    point: str, expected: dict[str, Any], states: States
) -> None:
    """Prevents tickets that readers lose, or see anew, since the run of comments died; and comments that an ingest of
    both takes for done, or lands twice."""
    with states.begin(nothing_yet, LOADER_WORKERS="0") as state:
        killed(lambda: _ingest(state.made), POINTS[point])
        when_the_lock_is_free(state.database)
        shown = rows(state.database, _POINTERS)
        assert [row[:2] for row in shown if row[0] == TICKETS] == [(TICKETS, day) for day in DAYS[TICKETS]]
        tickets = rows(state.database, "select * from serving.ticket_fact order by ticket_id")
        assert len(tickets) == 8

        assert _ingest(state.made) == 0
        _assert_whole(state.database, expected)
        assert rows(state.database, _POINTERS)[-2:] == [row for row in shown if row[0] == TICKETS]
        assert rows(state.database, "select * from serving.ticket_fact order by ticket_id") == tickets


def _exit_code_of(manifest: Path) -> int:
    return run(manifest).exit_code


def test_two_ingests_of_a_kind_each_take_turns(expected: dict[str, Any], states: States) -> None:
    """Prevents a run of comments that repairs, builds or releases between those of tickets as if it were alone."""
    with states.begin(nothing_yet, LOADER_WORKERS="0", LOADER_LOCK_TIMEOUT="120") as state:
        processes = [forked(partial(_exit_code_of, manifest)) for manifest in state.made]
        assert [ended(process) for process in processes] == [0, 0]
        _assert_whole(state.database, expected)
        # A comment that comes before its ticket is worth a warning.
        runs = rows(
            state.database, "select record_kind, status in ('success', 'warning') from ops.ingest_run order by 1"
        )
        assert runs == [(COMMENTS, True), (TICKETS, True)]
