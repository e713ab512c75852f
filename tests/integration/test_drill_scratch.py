"""What a drill that was killed leaves behind, and what the next one makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from loader.drill import incidents
from loader.drill.scratch import CommandEnd, Scratch, labels, scratch, working_root
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import rows, settings
from tests.shared_warehouse import execute

# A drill's scratch place with an attempt's row and its working folder, held until it is told to end, or killed.
_HOLDS = """
import sys, uuid, json
from loader.config import load_settings
from loader.drill.scratch import scratch, working_root
from loader.warehouse import set_up
settings = load_settings()
with scratch(settings, ()) as place:
    set_up(place.warehouse, settings.project_root / "infra" / "postgres")
    connection = place.warehouse.connect()
    run_id = uuid.uuid4()
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into ops.ruleset (ruleset_sha256, contract_ref, components) values (repeat('a', 64), 't', '{}');"
            "insert into ops.ingest_run (run_id, attempt, trace_id, mode, status, stage, batch_id, manifest_ids,"
            " record_kind, ruleset_id, lock_pid, process_id, host, loader_version) select %s, 1, repeat('a', 32),"
            " 'ingest', 'running', 'started', 'b', '{}', contract_ref, ruleset_id, 1, 1, 'h', 'v' from ops.ruleset",
            (str(run_id),))
    work = working_root(settings) / f"{run_id.hex}_1"
    work.mkdir(parents=True)
    print(json.dumps([place.warehouse.dbname, str(place.folder), str(work)]), flush=True)
    sys.stdin.readline()
"""


@dataclass(frozen=True)
class Held:
    process: subprocess.Popen[str]
    dbname: str
    folder: Path
    work: Path

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def _held(environment: dict[str, str]) -> Iterator[Held]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDS],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        dbname, folder, work = json.loads(process.stdout.readline())
        yield Held(process, dbname, Path(folder), Path(work))
    finally:
        process.communicate("end\n")


def _is_there(database: Warehouse, held: Held) -> list[bool]:
    ((count,),) = rows(database, "select count(*) from pg_database where datname = %s", held.dbname)
    return [bool(count), held.folder.exists(), held.work.exists()]


def test_the_next_drill_removes_what_a_killed_one_left_and_nothing_of_one_at_work(
    database: Warehouse, loader_environment: dict[str, str]
) -> None:
    """Else databases, folders and dlt's working folders pile up, or a drill in the next terminal loses its own."""
    with _held(loader_environment) as alive, _held(loader_environment) as dead:
        dead.kill()
        assert _is_there(database, dead) == [True, True, True]
        with scratch(settings(), ()) as place:
            assert _is_there(database, dead) == [False, False, False]
            assert _is_there(database, alive) == [True, True, True]
            assert place.folder.exists()
        assert not place.folder.exists()
    assert _is_there(database, alive) == [False, False, False]


def test_a_command_ends_with_the_drill_that_started_it(database: Warehouse, loader_environment: dict[str, str]) -> None:
    """A drill is killed while its backfill loads: the command would make its working folder anew after the clean-up."""
    root = working_root(settings())
    root.mkdir(parents=True, exist_ok=True)
    before = set(root.iterdir())
    drill = subprocess.Popen(
        [sys.executable, "-c", "from loader.cli import main; main(['drill', '--json'])"],
        cwd=ROOT,
        env={**loader_environment, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    found = "select shobj_description(oid, 'pg_database') from pg_database where starts_with(datname, %s)"
    mark = f"{database.dbname}_drill_"
    mine: set[str] = set()
    try:
        deadline = time.monotonic() + 120
        while not mine and time.monotonic() < deadline:
            time.sleep(0.05)
            new = {path.name for path in set(root.iterdir()) - before}
            names = rows(database, "select datname from pg_database where starts_with(datname, %s)", mark)
            mine = new & {label for (name,) in names for label in labels(database.in_database(name))}
    finally:
        drill.kill()
        drill.wait()
    assert mine
    ((folder,),) = rows(database, found, mark)
    assert Path(folder).is_dir()
    with scratch(settings(), ()):
        time.sleep(3)
    assert rows(database, found, mark) == []
    assert not Path(folder).exists()
    assert [name for name in mine if (root / name).exists()] == []


def test_a_database_that_only_looks_like_one_of_a_drill_stays(
    server: Warehouse, database: Warehouse, loader_environment: dict[str, str]
) -> None:
    """An operator may have named a database so."""
    name = f"{database.dbname}_drill_notes"
    execute(server, f"create database {name}")
    try:
        with scratch(settings(), ()):
            pass
        assert rows(database, "select count(*) from pg_database where datname = %s", name) == [(1,)]
    finally:
        execute(server, f"drop database {name}")


@pytest.mark.long
def test_a_recovery_that_does_nothing_recovers_nothing(
    database: Warehouse, loader_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands that end well are no proof: the report that was removed must be there again."""
    first, second = incidents._INCIDENTS[:2]
    loader = Scratch.loader

    def idle(place: Scratch, *words: str) -> CommandEnd:
        return loader(place, *(("status",) if words[0] == "rerun" else words))

    monkeypatch.setattr(Scratch, "loader", idle)
    monkeypatch.setattr(incidents, "_INCIDENTS", (first, second))
    found = list(incidents.run_drill(settings(), lambda line: None))
    assert [outcome.is_recovered for outcome in found] == [True, False]
    assert found[0].not_true == ()
    assert found[1].not_true == ("a report of the day is there again", "it says of the day what the removed one said")
