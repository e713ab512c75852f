"""A reader that polls serving while the real pipeline releases, fails its checks, is killed and restored."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loader.progress import Silent
from loader.recovery import apply_plan
from loader.release import ReleaseRequest
from loader.release.by_hand import release
from loader.warehouse import Warehouse, released_kinds
from tests.crash.points import POINTS
from tests.crash.test_crash_matrix import killed, when_the_lock_is_free
from tests.ingests import declare, evidence_faults, rows, run, settings, write_export
from tests.integration.release.reader import Seen, busy, polling
from tests.recoveries import DAYS, of_day, planned

TICKETS = 60
IDLE_SECONDS = 10
KILLS = (
    "proof: all but committed",
    "release: pointers have moved, not committed",
    "evidence: all recorded, not committed",
    "dbt: silver is built",
    "the run has ended, no file of its evidence is written",
)
# Twice of what readers see; and a lock on it that keeps readers out.
TWICE = """
select count(*) from (select ticket_id from serving.ticket_fact group by ticket_id having count(*) > 1) as doubled
"""
LOCKS = """
select count(*)
from pg_locks as held
inner join pg_class as seen on seen.oid = held.relation
inner join pg_namespace as place on place.oid = seen.relnamespace
where held.mode = 'AccessExclusiveLock' and held.granted
    and held.database = (select oid from pg_database where datname = current_database())
    and (place.nspname in ('release', 'serving') or (place.nspname, seen.relname) in (
        ('ops', 'unproved_change'), ('ops', 'completed_load'), ('ops', 'proved_load'), ('ops', 'run_asset'),
        ('ops', 'asset_partition')))
"""
# In the first export only: no later one builds its row anew.
SPOILED = 900
SPOIL = f"update silver.ticket_fact set owner = 'nobody' where ticket_id like '%{SPOILED}' returning 1"
MEND = "update silver.ticket_fact set owner = 'group_1' where owner = 'nobody'"


@pytest.mark.long
def test_readers_see_released_states_only_whatever_becomes_of_the_pipeline(
    database: Warehouse,
    loader_environment: dict[str, str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Fifty releases (RELEASES=n: as many), with failed checks, kills and restores between them. Every state that a
    poll finds is one that the ledger has, by digest of what `serving` shows; no ticket is seen twice; nothing that is
    read is ever under an AccessExclusiveLock; and p99 stays within twice that of an idle warehouse on a machine whose
    processors are as busy: what other work of the machine costs a reader is not the warehouse's doing."""
    wanted = int(os.environ.get("RELEASES", 50))
    run(_exports(tmp_path, 0))
    statements = {"POLL": _poll(database), "TWICE": TWICE, "LOCKS": LOCKS}
    with polling(database, statements) as quiet:
        time.sleep(IDLE_SECONDS)
    with busy(os.cpu_count() or 1), polling(database, statements) as idle:
        time.sleep(IDLE_SECONDS)
    done = {"ingest": 0, "failed check": 0, "kill": 0, "restore": 0}
    number = 0
    with polling(database, statements) as seen:
        while rows(database, "select count(*) from release.data_release")[0][0] < wanted:
            number += 1
            kind = ("ingest", "failed check", "kill", "restore")[number % 4]
            done[kind] += 1
            if kind == "restore":
                _back_and_forth()
                continue
            manifest = _exports(tmp_path, number)
            if kind == "failed check":
                assert rows(database, SPOIL) == [(1,)]
                assert run(manifest).exit_code == 1
                rows(database, MEND)
            if kind == "kill":
                point = POINTS[KILLS[done["kill"] % len(KILLS)]]
                killed({**loader_environment, "LOADER_WORKERS": "0"}, point, "ingest", "--manifest", str(manifest))
                when_the_lock_is_free(database)
            verdict = run(manifest)
            assert verdict.exit_code == 0, verdict.problems
    for name, found in (("idle", quiet), ("idle, all processors busy", idle), ("pipeline at work", seen)):
        print(f"\n{name}: {found.told}", end="")
        record_property(name, found.told)
    print(f"\n{done}")
    assert min(done.values()) > 0 or wanted < 10
    _assert_released(database, seen)
    assert evidence_faults(database) == []
    assert seen.p99 < 2 * idle.p99, (idle.told, seen.told)


def _assert_released(database: Warehouse, seen: Seen) -> None:
    known = rows(
        database, "select partition_key, data_release_id, record_count, record_digest from release.partition_version"
    )
    assert len({version for _, version, *_ in seen.states}) > 1
    assert seen.states - {tuple(map(str, row)) for row in known} == set()
    assert (seen.twice, seen.locks) == (0, 0)


def _exports(root: Path, number: int) -> Path:
    """A manifest of one export: tickets of three days, of which later ones update some and move some to another day."""
    at = f"2026-05-{1 + number // 24:02}T{number % 24:02}:00:00Z"
    lines: list[Any] = []
    for ticket in range(1 + number % 7, TICKETS, 7 if number else 1):
        line = of_day(DAYS[ticket % 3], ticket, owner="group_1", updated_at=at, assignee_id=f"agent_{number}")
        if number and ticket % 10 == 0:
            line["created_at"] = f"{DAYS[(ticket + number) % 3]}T08:00:00Z"
        lines.append(line)
    if number == 0:
        lines.append(of_day(DAYS[0], SPOILED, owner="group_1"))
    write_export(root / f"e{number}" / f"tickets-{DAYS[-1]}.jsonl", lines)
    return declare(root / f"e{number}", f"m{number}")


def _poll(database: Warehouse) -> str:
    """What readers see of each day, which version that claims to be, and its digest as a release counts it."""
    with closing(database.connect(application_name="tests")) as session, session.cursor() as cursor:
        (kind,) = (each for each in released_kinds(cursor) if each.record_kind == "ticket_v1")
        return (
            f"select partition_key, data_release_id, count(*), sum({kind.row_digest(cursor, 'fact')})"
            " from serving.ticket_fact as fact group by partition_key, data_release_id"
        )


def _back_and_forth() -> None:
    """All days as they were first shown, and then as they are proved."""
    everything = {"window_start": None, "window_end": None, "release": 1, "as_of": None}
    apply_plan(settings(), planned("restore", **everything, reason="tests"))
    release(settings(), ReleaseRequest([date.fromisoformat(day) for day in DAYS]), Silent())
