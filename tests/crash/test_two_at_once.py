"""Two commands that would write one warehouse: they take turns, wait as long as told, and a fenced one stays out."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loader.runs.lock import IngestLock
from loader.warehouse import Warehouse
from tests.crash.started import started, wait_until
from tests.ingests import declare, rows, run, ticket, write_export
from tests.integration.silver.dbt_runs import statement

LINES = 3_000
ROUNDS = 20
IS_MERGING = "select exists (select from pg_locks where not granted and relation = 'bronze.raw_ticket_event'::regclass)"
# The run that held the lock is marked dead by the one that holds it now.
IS_TAKEN_OVER = "select exists (select from ops.ingest_run where status = 'crashed')"


def _exports(folder: Path, name: str, first: int) -> Path:
    """A manifest of one export; those of two neighbours share half of their records."""
    records: list[Any] = [ticket(number) for number in range(first, first + LINES)]
    write_export(folder / name / f"{name}-2026-04-17.jsonl", records)
    return declare(folder / name, name, manifest_id=f"manifest-{name}")


@pytest.mark.parametrize("rounds", [1, pytest.param(ROUNDS, marks=pytest.mark.long)])
def test_two_ingests_at_once_lose_no_row_and_double_none(
    rounds: int, database: Warehouse, loader_environment: dict[str, str], tmp_path: Path
) -> None:
    for number in range(rounds):
        first = 1 + number * LINES
        manifests = [
            _exports(tmp_path, f"left{number}", first),
            _exports(tmp_path, f"right{number}", first + LINES // 2),
        ]
        processes = [
            started(loader_environment, "ingest", "--manifest", str(manifest), "--lock-timeout", "120")
            for manifest in manifests
        ]
        for process in processes:
            out, err = process.communicate(timeout=180)
            assert process.returncode == 0, (out, err)
        events = first + LINES + LINES // 2 - 1
        assert rows(database, "select count(*), count(distinct record_key) from bronze.raw_ticket_event") == [
            (events, events)
        ]
        assert rows(database, "select count(*) from silver.ticket_fact") == [(events,)]
        assert rows(database, "select sum(unexplained_count)::int from reconcile.reconcile_partition") == [(0,)]


def test_the_holder_is_named_after_the_timeout(
    database: Warehouse, loader_environment: dict[str, str], tmp_path: Path
) -> None:
    manifest = _exports(tmp_path, "left", 1)
    with closing(IngestLock.acquire(database)) as holder:
        began = time.monotonic()
        waiting = started(loader_environment, "ingest", "--manifest", str(manifest), "--lock-timeout", "2")
        _, err = waiting.communicate(timeout=60)
        assert waiting.returncode == 4
        assert time.monotonic() - began >= 2
        assert f"database session {holder.backend_pid}" in err
    assert rows(database, "select count(*) from ops.ingest_run") == [(0,)]


@pytest.mark.long
def test_one_that_lost_its_lock_is_fenced_off_from_the_one_that_waited(
    database: Warehouse, loader_environment: dict[str, str], tmp_path: Path
) -> None:
    """The holder's session ends while its load is at work: the waiting one takes over, and only it completes."""
    left, right = _exports(tmp_path, "left", 1), _exports(tmp_path, "right", 1 + LINES // 2)
    holder = started(loader_environment, "ingest", "--manifest", str(left))
    # A reader's lock stops the merge where it would write.
    with statement(database, "lock table bronze.raw_ticket_event in share mode"):
        wait_until(database, IS_MERGING, holder)
        waiting = started(loader_environment, "ingest", "--manifest", str(right), "--lock-timeout", "120")
        rows(database, "select pg_terminate_backend(lock_pid) from ops.ingest_run where status = 'running'")
        wait_until(database, IS_TAKEN_OVER, waiting)
    _, lost = holder.communicate(timeout=120)
    out, err = waiting.communicate(timeout=120)
    assert holder.returncode == 3, lost
    assert waiting.returncode == 0, (out, err)
    assert rows(database, "select status from ops.ingest_run order by started_at") == [("crashed",), ("success",)]
    assert "1 dead attempt," in err
    assert rows(database, "select count(*), count(distinct run_id) from bronze.raw_ticket_event") == [(LINES, 1)]
    assert run(left).exit_code == 0
    assert rows(database, "select count(*) from silver.ticket_fact") == [(LINES + LINES // 2,)]
