"""A command killed anywhere, then `loader retry`: the tables of a run that was never disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.config import Settings
from loader.errors import RefusedError
from loader.runs.lock import IngestLock
from loader.warehouse import Warehouse, embedded
from loader.warehouse.connection import DEFAULT_DATABASE
from tests.checkouts import ROOT
from tests.crash.points import IN_REPAIR, IN_WORKERS, POINTS, QUICK
from tests.e2e.commands import LOADER
from tests.ingests import declare, evidence_faults, rows, run, ticket, write_export
from tests.recoveries import left_by_runs, recover
from tests.shared_warehouse import own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

HOOK = Path(__file__).parent / "hook"
DAYS = ("2026-04-15", "2026-04-16", "2026-04-17")
LINES = 1_000


def _exports(root: Path) -> Path:
    """A manifest of three daily exports: updates of the day before, repeats and rejects are among the lines."""
    for place, day in enumerate(DAYS):
        name = day.replace("-", "")
        lines: list[Any] = [
            ticket(number, ticket_id=f"TKT-{name}-{number:06d}", created_at=f"{day}T08:00:00Z")
            for number in range(1, LINES + 1)
        ]
        if place:
            before = DAYS[place - 1].replace("-", "")
            lines += [
                ticket(
                    number,
                    ticket_id=f"TKT-{before}-{number:06d}",
                    created_at=f"{DAYS[place - 1]}T08:00:00Z",
                    updated_at=f"{day}T09:00:00Z",
                    status="closed",
                )
                for number in range(1, 20)
            ]
        write_export(root / "e" / f"tickets-{day}.jsonl", [*lines, lines[0], b"{broken", b""])
    return declare(root / "e")


@pytest.fixture(scope="module")
def undisturbed(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What one run leaves that nobody disturbs."""
    root = tmp_path_factory.mktemp("undisturbed")
    manifest = _exports(root)
    with own_warehouse(server, _template, root) as database:
        verdict = run(manifest)
        assert verdict.exit_code == 0, verdict.problems
        return left_by_runs(database, verdict.facts.run["run_id"])


def killed(environment: dict[str, str], point: str, *command: str) -> None:
    """Run a command that kills itself at a point."""
    done = subprocess.run(
        [sys.executable, "-c", "from loader.cli import main; main()", *command],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": f"{HOOK}{os.pathsep}{ROOT}", "CRASH_AT": point},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL, (point, done.returncode, done.stdout, done.stderr)


def when_the_lock_is_free(database: Warehouse) -> None:
    """The server takes a moment to see that its client is dead."""
    with closing(IngestLock.acquire(database, wait_seconds=30)):
        pass


def _assert_recovered(
    database: Warehouse, manifest: Path, undisturbed: dict[str, list[Any]], folder: Path, attempts: int | None
) -> None:
    when_the_lock_is_free(database)
    recorded = rows(database, "select run_id::text, status from ops.ingest_run order by attempt desc limit 1")
    if not recorded:
        verdict = run(manifest)
        assert verdict.exit_code == 0, verdict.problems
        run_id = str(verdict.facts.run["run_id"])
    elif recorded[0][1] in ("success", "warning"):
        run_id = recorded[0][0]
        with pytest.raises(RefusedError, match="there is nothing to retry"):
            recover("retry", run_id=None)
    else:
        run_id = recorded[0][0]
        verdict = recover("retry", run_id=run_id)
        assert verdict.exit_code == 0, verdict.problems
        assert attempts is None or verdict.facts.run["attempt"] == attempts
    left = left_by_runs(database, run_id)
    for table, held in undisturbed.items():
        assert left[table] == held, table
    _nothing_is_left(database, folder)


def _nothing_is_left(database: Warehouse, folder: Path) -> None:
    """No row of a load that is not completed, no staging schema, working folder or half an archived object."""
    for table in ("record_event", "asset_line", "rejected_record"):
        orphans = (
            f"select count(*) from bronze.{table} where _dlt_load_id not in"
            f" (select load_id from ops.completed_load where table_name = '{table}')"
        )
        assert rows(database, orphans) == [(0,)], table
    assert rows(database, "select nspname from pg_namespace where starts_with(nspname, 'bronze_staging')") == []
    assert rows(database, "select coalesce(sum(unexplained_count), 0)::int from reconcile.reconcile_partition") == [
        (0,)
    ]
    assert evidence_faults(database) == []
    attempts = rows(database, "select replace(run_id::text, '-', '') || '_' || attempt from ops.ingest_run")
    working = ROOT / ".local" / "dlt"
    assert not {path.name for path in working.iterdir()} & {label for (label,) in attempts}
    assert not list((folder / "raw_zone" / "incoming").iterdir())


@pytest.mark.long
def test_the_server_is_killed_while_it_loads(
    project: Settings, undisturbed: dict[str, list[Any]], tmp_path: Path
) -> None:
    """SIGKILL to PostgreSQL's first process; the next command starts it again, and it recovers from its log."""
    manifest = _exports(project.project_root / "given")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PG", "LOADER_"))},
        "PYTHONPATH": str(ROOT),
        "LOADER_PROJECT_ROOT": str(project.project_root),
    }

    def loader(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*LOADER, *words],
            cwd=project.project_root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    assert loader("up").wait() == 0
    database = embedded.address(project.state_folder, DEFAULT_DATABASE)
    ((data,),) = rows(database.as_administrator(), "show data_directory")
    ingest = loader("ingest", "--manifest", str(manifest))
    loading = "select exists (select from pg_namespace where starts_with(nspname, 'bronze_staging'))"
    while not rows(database, loading)[0][0]:
        assert ingest.poll() is None, ingest.communicate()
        time.sleep(0.01)
    os.kill(int((Path(data) / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    _, err = ingest.communicate(timeout=120)
    assert ingest.returncode == 3, err
    assert err.splitlines()[-1].startswith("next: "), err
    retry = loader("retry", "--latest", "--mode", "execute", "--lock-timeout", "30")
    out, err = retry.communicate(timeout=120)
    assert retry.returncode == 0, (out, err)
    assert "1 dead attempt," in err
    ((run_id,),) = rows(database, "select distinct run_id::text from ops.ingest_run")
    left = left_by_runs(database.as_administrator(), run_id)
    for table, held in undisturbed.items():
        assert left[table] == held, table


def _points(names: Any) -> list[Any]:
    return [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.long], id=name) for name in names]


@dataclass(frozen=True)
class Scene:
    """Exports that an ingest is killed over, and what an undisturbed one leaves."""

    database: Warehouse
    environment: dict[str, str]
    undisturbed: dict[str, list[Any]]
    folder: Path
    manifest: Path

    def killed(self, point: str, *command: str, **variables: str) -> None:
        killed({**self.environment, **variables}, point, *command)

    def assert_recovered(self) -> None:
        _assert_recovered(self.database, self.manifest, self.undisturbed, self.folder, attempts=2)


@pytest.fixture
def scene(
    database: Warehouse, loader_environment: dict[str, str], undisturbed: dict[str, list[Any]], tmp_path: Path
) -> Scene:
    return Scene(database, loader_environment, undisturbed, tmp_path, _exports(tmp_path))


@pytest.mark.parametrize("point", _points(POINTS))
def test_killed(point: str, scene: Scene) -> None:
    scene.killed(POINTS[point], "ingest", "--manifest", str(scene.manifest), LOADER_WORKERS="0")
    scene.assert_recovered()


@pytest.mark.parametrize("point", _points(IN_WORKERS))
def test_killed_with_workers(point: str, scene: Scene) -> None:
    """A file this small is worth no process: the hook's environment says that it is."""
    words = ("ingest", "--manifest", str(scene.manifest))
    scene.killed(IN_WORKERS[point], *words, LOADER_WORKERS="2", CRASH_WORKERS="1")
    scene.assert_recovered()


@pytest.mark.parametrize("point", _points(IN_REPAIR))
def test_killed_while_it_repairs(point: str, scene: Scene) -> None:
    loads = POINTS["dlt: a load is merged"]
    scene.killed(loads, "ingest", "--manifest", str(scene.manifest), LOADER_WORKERS="0")
    when_the_lock_is_free(scene.database)
    scene.killed(IN_REPAIR[point], "retry", "--latest", "--mode", "execute", LOADER_WORKERS="0")
    scene.assert_recovered()


@pytest.mark.long
@pytest.mark.skipif("SOAK_MINUTES" not in os.environ, reason="make soak MINUTES=60")
def test_killed_at_random_for_long(
    server: Warehouse,
    _template: str,
    undisturbed: dict[str, list[Any]],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Rounds of a command killed after a random time, then retries that are killed too, until one is let live."""
    seed = int(os.environ.get("SOAK_SEED", time.time_ns()))
    chance = random.Random(seed)
    record_property("seed", seed)
    deadline = time.monotonic() + 60 * float(os.environ["SOAK_MINUTES"])
    rounds = 0
    while time.monotonic() < deadline:
        rounds += 1
        root = tmp_path / str(rounds)
        manifest = _exports(root)
        with own_warehouse(server, _template, root) as database:
            environment = {**os.environ, "LOADER_WORKERS": chance.choice(["0", "2"])}
            if chance.random() < 0.5:
                environment |= {"CRASH_WORKERS": "1", "CRASH_AT": "no.module:no_name:before:1"}
            if chance.random() < 0.2:
                environment["LOADER_LOAD_FORMAT"] = "csv"
            delays = [chance.uniform(0.3, 12) for _ in range(chance.randint(1, 3))]
            print(f"seed {seed} round {rounds}: {environment['LOADER_WORKERS']} workers, killed after {delays}")
            words = ("ingest", "--manifest", str(manifest))
            for delay in delays:
                _killed_after(environment, delay, *words)
                when_the_lock_is_free(database)
                if rows(database, "select 1 from ops.ingest_run"):
                    words = ("retry", "--latest", "--mode", "execute")
            _assert_recovered(database, manifest, undisturbed, root, attempts=None)
        shutil.rmtree(root)
    assert rounds > 0


def _killed_after(environment: dict[str, str], seconds: float, *command: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from loader.cli import main; main()", *command],
        cwd=ROOT,
        env={**environment, "PYTHONPATH": f"{HOOK}{os.pathsep}{ROOT}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.kill()
    process.wait()
