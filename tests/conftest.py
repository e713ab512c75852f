"""What tests of this project share. Fixtures for the other test files:

server             one PostgreSQL for the whole run: its own embedded one, or the one that PGHOST names
database           a fresh database with the loader's tables, as its superuser; dropped afterwards (about 0.1 s)
states             warehouses that are built once, and copied for each test that begins from them
replayed           builds of this module are what dbt sent when it built first (tests/replay.py); not with --long
loader_environment the environment in which `loader` (in this process or a child) works on `database`
reachable_tmp_path like tmp_path, but other users can enter it: as root, PostgreSQL runs as another user
project            a small checkout of its own (contracts, SQL, dbt project) with its own .local

Each test gets the marker of its folder: pytest -m "unit or contract".
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loader.collector import collect_rarely
from loader.config import Settings, load_settings
from loader.silver import dbt
from loader.warehouse import Role, Warehouse, embedded, placement, set_up
from loader.warehouse.connection import given_warehouse
from loader.warehouse.server import SERVER_SETTINGS
from tests.checkouts import ROOT, make_checkout, make_reachable_folder, quick_place, remove_server
from tests.replay import Replays, in_place_of_dbt
from tests.shared_warehouse import GRANT, named_as
from tests.states import States

# Files that take longest, which begin first: at the end no worker waits for the other's last hour.
LONGEST = (
    "integration/test_idle_readers.py",
    "integration/recovery/test_looking.py",
    "crash/test_crash_matrix.py",
    "integration/test_outside.py",
    "e2e/test_commands.py",
    "e2e/test_recovery_commands.py",
    "e2e/test_release_commands.py",
    "integration/test_proof_scope.py",
    "integration/release/test_release.py",
    "integration/silver/test_silver_incremental.py",
    "integration/test_replay.py",
    "advice/test_follow_next.py",
    "integration/test_seeds.py",
    "sabotage/test_sabotage.py",
    "integration/privacy/test_erasure.py",
    "integration/test_secrets.py",
    "integration/test_dbt_process.py",
    "crash/test_two_at_once.py",
    "integration/test_rough_handling.py",
    "integration/test_evidence_chain.py",
    "integration/test_ingest.py",
    "screens/test_screens.py",
    "integration/test_reports.py",
)
# The server goes with the run: nothing of it has to be on a disk. Every drop of a table looks through all buffers.
FORGETFUL = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "512MB",
    "shared_buffers": "128MB",
}


def pytest_configure() -> None:
    # As in each process of the loader.
    collect_rarely()
    if place := quick_place():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(place))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="also run the long versions: make test-long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--long"):
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))
    for item in items:
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        if not folder.endswith(".py"):
            item.add_marker(folder)
        if folder == "facts":
            item.add_marker("media")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say loudly what did not run: a skipped test proves nothing."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"{len(skipped)} TESTS DID NOT RUN", red=True, bold=True)
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            terminalreporter.line(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}", red=True)


@pytest.fixture(autouse=True)
def _same_umask() -> Iterator[None]:
    """A command that a test calls in this process keeps others out of what it makes; the next test makes its own."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """A developer's own LOADER_ variables, and those of the `make test` around us, do not change what is proved."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("LOADER_", "MAKE", "MFLAGS"))]:
            patch.delenv(name)
        yield


@pytest.fixture
def reachable_tmp_path() -> Iterator[Path]:
    """An empty folder that other users can pass through; pytest's own are 0700."""
    folder = make_reachable_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def project(reachable_tmp_path: Path) -> Iterator[Settings]:
    """Settings of a checkout in a folder of its own; its embedded server, if a test starts it, is removed."""
    root = reachable_tmp_path / "project"
    make_checkout(root)
    settings = load_settings(project_root=root)
    yield settings
    remove_server(settings)


@pytest.fixture(scope="session")
def _suffix() -> str:
    """The end of a worker's names of databases. On servers of their own all workers have the same, and each reads what
    another one's dbt has parsed."""
    return "00000" if given_warehouse(os.environ) is None else str(os.getpid())


@pytest.fixture(scope="session")
def server(_suffix: str) -> Iterator[Warehouse]:
    """A server on which databases may be created; connected to its maintenance database."""
    given = given_warehouse(os.environ)
    if given is not None:
        yield given
        return
    folder = make_reachable_folder()
    state_folder = folder / ".local"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in FORGETFUL.items():
            patch.setitem(SERVER_SETTINGS, name, value)
        embedded.start(state_folder, lambda line: None)
    # As a given server whose login is its superuser: tests look at, and damage, what no role may.
    yield replace(embedded.address(state_folder, "postgres").as_administrator(), is_embedded=False)
    embedded.stop(state_folder)
    placement.remove_folders(state_folder)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _template(server: Warehouse, _suffix: str) -> Iterator[str]:
    """The name of a database with the loader's tables, to copy; nobody may connect to it."""
    name = f"omni_template_{_suffix}"
    _execute(server, f"create database {name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'")
    try:
        set_up(server.in_database(name).acting_as(Role.LOADER), ROOT / "infra" / "postgres")
        _execute(server, f"alter database {name} allow_connections false")
        yield name
    finally:
        _execute(server, f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def states(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[States]:
    """Warehouses that several tests begin from (tests/states.py)."""
    found = States(server, _template, tmp_path_factory.mktemp("states"))
    yield found
    found.drop()


@pytest.fixture(scope="session")
def replays(tmp_path_factory: pytest.TempPathFactory) -> Replays:
    """What dbt sent in builds of this run."""
    own = tmp_path_factory.getbasetemp()
    # Each worker has a folder of its own in that of the run.
    return Replays(dbt._process, (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "replays")


@pytest.fixture(scope="module")
def replayed(request: pytest.FixtureRequest, replays: Replays) -> Iterator[None]:
    """A build whose statements are known is sent again without dbt."""
    if request.config.getoption("--long"):
        yield
        return
    with in_place_of_dbt(replays):
        yield


@pytest.fixture
def database(server: Warehouse, _template: str) -> Iterator[Warehouse]:
    """A fresh database with the loader's tables and no rows; sessions left open at the end are cut off."""
    # One name for all tests of this process: dbt keeps its parsed project while the name is the same.
    name = named_as(_template, "test")
    _execute(server, f"create database {name} template {_template} strategy file_copy")
    _execute(server, GRANT.format(name))
    yield server.in_database(name)
    _execute(server, f"drop database {name} with (force)")


@pytest.fixture
def loader_environment(database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Make `database` and folders below tmp_path those of every loader command; also set in os.environ.

    Returns the whole environment for child processes. load_settings() and open_warehouse() work as they are.
    """
    variables = {
        **database.libpq_environment(),
        "LOADER_RAW_ZONE": str(tmp_path / "raw_zone"),
        "LOADER_REPORT_DIR": str(tmp_path / "reports"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # Child processes find this interpreter's commands first.
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return dict(os.environ)


def _execute(server: Warehouse, statement: str) -> None:
    with closing(server.connect(application_name="tests", autocommit=True)) as connection:
        connection.cursor().execute(statement)
