"""An ingest that is stopped by its operator, killed, or cut off from its database; then the next one, whole."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.crash.started import started, wait_until
from tests.ingests import declare, rows, run, silver, ticket, write_export

LINES = 8_000
# What is asked while waiting for the moment to end an ingest: is the living attempt just doing this?
_LIVING = (
    "select exists (select from ops.ingest_run as run"
    " inner join ops.lock_holder as held on held.token = run.writer_token"
)
IS_LOADING = (
    f"{_LIVING} inner join pg_namespace as staging"
    " on starts_with(staging.nspname, 'bronze_staging_' || replace(run.run_id::text, '-', '') || '_' || run.attempt)"
    " where run.status = 'running')"
)
IS_BUILDING = (
    f"{_LIVING} inner join pg_stat_activity as session on starts_with(session.application_name, 'dbt')"
    " and session.datname = current_database() where run.status = 'running' and run.stage = 'landed')"
)


def _interrupt(process: subprocess.Popen[str], database: Warehouse) -> None:
    process.send_signal(signal.SIGINT)


def _kill(process: subprocess.Popen[str], database: Warehouse) -> None:
    process.kill()


def _cut_off(process: subprocess.Popen[str], database: Warehouse) -> None:
    """What a restart of the database does to its clients."""
    everyone = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    rows(database, f"select pg_terminate_backend(pid) {everyone}")


@dataclass(frozen=True)
class Ending:
    """How an ingest ends: what is done to it and when, and what it leaves: exit code, ledger status, last error."""

    name: str
    moment: str
    end: Callable[[subprocess.Popen[str], Warehouse], None]
    code: int
    status: str
    told: str


_SPOKEN = "error: interrupted; what was not completed stays invisible."
# Loading first: once a load is completed, the next attempt has nothing left to load.
ENDINGS = (
    Ending("Ctrl-C while loading", IS_LOADING, _interrupt, 3, "interrupted", _SPOKEN),
    Ending("kill -9 while loading", IS_LOADING, _kill, -signal.SIGKILL, "running", ""),
    Ending("database restarted while loading", IS_LOADING, _cut_off, 3, "running", "error: load into Bronze: "),
    Ending("Ctrl-C while dbt builds", IS_BUILDING, _interrupt, 3, "interrupted", _SPOKEN),
    Ending("database restarted while dbt builds", IS_BUILDING, _cut_off, 3, "running", "error: "),
)


@pytest.mark.long
def test_an_ingest_is_whole_whatever_became_of_those_before_it(
    database: Warehouse, loader_environment: dict[str, str], tmp_path: Path
) -> None:
    """Rows of a dead attempt are invisible and would block the same events from landing: repair goes first."""
    write_export(tmp_path / "e" / "t-2026-04-17.jsonl", [ticket(number) for number in range(LINES)])
    manifest = declare(tmp_path / "e")
    for ending in ENDINGS:
        process = started(loader_environment, "ingest", "--manifest", str(manifest))
        wait_until(database, ending.moment, process)
        ending.end(process, database)
        _, err = process.communicate(timeout=180)
        assert process.returncode == ending.code, (ending.name, err)
        newest = rows(database, "select status from ops.ingest_run order by started_at desc limit 1")
        assert newest == [(ending.status,)], ending.name
        if ending.told:
            (error,) = [line for line in err.splitlines() if line.startswith("error: ")]
            assert error.startswith(ending.told), ending.name
            assert err.splitlines()[-1].startswith("next: make ")
    verdict = run(manifest)
    assert verdict.exit_code == 0, verdict.problems
    assert len(silver(database)) == LINES
    assert rows(database, "select count(*), sum(unexplained_count) from reconcile.reconcile_partition") == [(1, 0)]
    expected = ["crashed" if ending.status == "running" else ending.status for ending in ENDINGS] + ["success"]
    assert rows(database, "select array_agg(status order by started_at) from ops.ingest_run") == [(expected,)]
    _nothing_is_left(database, tmp_path)


def _nothing_is_left(database: Warehouse, folder: Path) -> None:
    """One evidence file per attempt, and no staging schema, working folder or half archive of any."""
    runs = rows(database, "select run_id::text, attempt from ops.ingest_run")
    evidence = {path.name for path in (folder / "reports" / "run_evidence" / "_run").iterdir()}
    assert evidence == {f"{run_id}.{attempt}.json" for run_id, attempt in runs}
    assert rows(database, "select nspname from pg_namespace where starts_with(nspname, 'bronze_staging')") == []
    working = {path.name for path in (ROOT / ".local" / "dlt").iterdir()}
    assert not working & {f"{run_id.replace('-', '')}_{attempt}" for run_id, attempt in runs}
    assert not list((folder / "raw_zone" / "incoming").iterdir())
