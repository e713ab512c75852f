"""The embedded PostgreSQL on real servers: first start, no-op, recovery, odd places, other users."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import adbc_driver_postgresql.dbapi
import psycopg2
import pytest
from dlt.destinations.impl.postgres.configuration import PostgresCredentials

from loader.config import Settings, load_settings
from loader.errors import CommandUsageError, InfrastructureError
from loader.warehouse import (
    Warehouse,
    answering_warehouse,
    embedded_status,
    open_warehouse,
    placement,
    postmaster,
    remove_embedded,
    stop_embedded,
)
from tests.conftest import ROOT, make_checkout, make_reachable_folder, remove_server

IS_ROOT = os.geteuid() == 0
OPEN = (
    "import sys; from loader.config import load_settings; from loader.warehouse import open_warehouse;"
    "warehouse = open_warehouse(load_settings(project_root=sys.argv[1]));"
    "cursor = warehouse.connect().cursor();"
    "cursor.execute('select count(*) from ops.ingest_run'); print(cursor.fetchone()[0], warehouse.host)"
)
WORK = (
    "import psycopg2, sys; cursor = psycopg2.connect(sys.argv[1]).cursor();"
    "cursor.execute('insert into public.kept values (2)');"
    "cursor.execute('select sum(sqrt(n)) from generate_series(1, 10000000) as n')"
)


@pytest.fixture(autouse=True)
def _no_given_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests start servers of their own, whatever PGHOST says."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def shared() -> Iterator[Settings]:
    """One checkout for tests that leave its server as good as they found it."""
    folder = make_reachable_folder()
    settings = _checkout(folder / "project")
    yield settings
    remove_server(settings)
    shutil.rmtree(folder)


@pytest.fixture
def folder(reachable_tmp_path: Path) -> Iterator[Path]:
    """A place for checkouts; servers that tests start below it, two levels deep, are removed."""
    yield reachable_tmp_path
    for root in reachable_tmp_path.rglob("pyproject.toml"):
        root.parent.parent.chmod(0o755)
        remove_server(load_settings(project_root=root.parent))


def _checkout(root: Path) -> Settings:
    make_checkout(root)
    return load_settings(project_root=root)


def _write_row(warehouse: Warehouse) -> None:
    with closing(warehouse.connect(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute("create table if not exists public.kept (number integer)")
        cursor.execute("insert into public.kept values (1)")


def _rows(warehouse: Warehouse) -> int:
    with closing(warehouse.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from public.kept")
        return int(cursor.fetchone()[0])


def _kill_server(settings: Settings) -> int:
    """kill -9 of this checkout's own postmaster, by its id."""
    pid = embedded_status(settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def _wait_for(condition: object, *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_first_start_makes_a_server_with_the_tables_and_the_second_changes_nothing(project: Settings) -> None:
    said: list[str] = []
    warehouse = open_warehouse(project, announce=said.append)
    assert warehouse.is_embedded
    assert any("initialising" in line for line in said)
    first = embedded_status(project)
    assert first.is_running and first.is_initialised
    with closing(warehouse.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select current_setting('listen_addresses'), current_setting('fsync'),"
            " current_setting('TimeZone'), current_setting('data_checksums'),"
            " (select count(*) from pg_tables where schemaname = 'bronze')"
        )
        assert cursor.fetchone() == ("", "on", "UTC", "on", 3)

    said.clear()
    assert open_warehouse(project, announce=said.append) == warehouse
    assert said == []
    assert embedded_status(project) == first


def test_nobody_else_can_reach_the_socket_or_the_files(shared: Settings) -> None:
    """Trust authentication is only as good as the folder around the socket."""
    warehouse = open_warehouse(shared, announce=lambda line: None)
    for path in (Path(warehouse.host), embedded_status(shared).data_folder):
        assert path.stat().st_mode & 0o077 == 0, path
    assert shared.state_folder.joinpath("pgpass").stat().st_mode & 0o077 == 0
    assert embedded_status(shared).data_folder.with_name("postgres.log").stat().st_mode & 0o077 == 0
    hba = embedded_status(shared).data_folder.joinpath("pg_hba.conf").read_text()
    methods = {line.split()[0]: line.split()[-1] for line in hba.splitlines() if line[:1].isalpha()}
    assert methods == {"local": "trust", "host": "reject"}


def test_rows_stay_over_stop_and_start(shared: Settings) -> None:
    warehouse = open_warehouse(shared, announce=lambda line: None)
    _write_row(warehouse)
    assert stop_embedded(shared) is True
    assert stop_embedded(shared) is False
    assert not embedded_status(shared).is_running
    assert _rows(open_warehouse(shared, announce=lambda line: None)) == 1


def test_after_kill_9_the_next_command_recovers_with_every_committed_row(project: Settings) -> None:
    """A stale postmaster.pid and socket must not keep the warehouse down until somebody cleans up by hand."""
    warehouse = open_warehouse(project, announce=lambda line: None)
    _write_row(warehouse)
    killed = _kill_server(project)
    assert _rows(open_warehouse(project, announce=lambda line: None)) == 1
    assert embedded_status(project).pid != killed


def test_kill_9_while_a_session_works_waits_for_the_orphan_and_keeps_only_what_was_committed(
    project: Settings,
) -> None:
    """Two servers on one data directory destroy it: the orphan of the first has to be gone before."""
    warehouse = open_warehouse(project, announce=lambda line: None)
    _write_row(warehouse)
    data_folder = embedded_status(project).data_folder
    busy = subprocess.Popen(
        [
            sys.executable,
            "-c",
            WORK,
            warehouse.dsn_url(),
        ],
        stderr=subprocess.DEVNULL,
    )
    with closing(warehouse.connect(autocommit=True)) as connection, connection.cursor() as cursor:

        def is_working() -> bool:
            cursor.execute("select count(*) from pg_stat_activity where state = 'active' and query like '%sqrt%'")
            return bool(cursor.fetchone()[0] > 1)

        _wait_for(is_working)
    killed = _kill_server(project)
    _wait_for(lambda: not postmaster.is_server_process(killed, data_folder))
    assert _rows(open_warehouse(project, announce=lambda line: None)) == 1
    busy.wait(timeout=5)


def test_lock_files_that_name_a_stranger_a_zombie_or_nobody_are_stale(project: Settings) -> None:
    """After a reboot the old id may belong to anybody; where nothing reaps, a dead server stays a zombie."""
    _write_row(open_warehouse(project, announce=lambda line: None))
    status = embedded_status(project)
    for kind in ("stranger", "zombie", "empty"):
        _kill_server(project)
        assert postmaster.wait_until_gone(status.data_folder, timeout_seconds=10) == []
        other = subprocess.Popen(["sleep", "60"] if kind == "stranger" else ["true"])
        try:
            if kind == "zombie":
                os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)
            for lock_file in (
                status.data_folder / "postmaster.pid",
                status.socket_folder / ".s.PGSQL.5432.lock",
            ):
                rest = lock_file.read_text().splitlines()[1:]
                lock_file.write_text("\n".join([str(other.pid), *rest, ""]) if kind != "empty" else "")
            assert _rows(open_warehouse(project, announce=lambda line: None)) == 1
            assert kind != "stranger" or other.poll() is None, "the stranger must be left alone"
        finally:
            other.kill()
            other.wait()


def test_processes_that_start_at_once_share_one_server(project: Settings) -> None:
    """Two commands in two terminals of a fresh clone: one initialises, the other waits for it."""
    command = [sys.executable, "-c", OPEN, str(project.project_root)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=60) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], answers
    assert len({answer[0] for answer in answers}) == 1
    assert sum("initialising" in answer[1] for answer in answers) == 1
    assert postmaster.recorded_pid(embedded_status(project).data_folder / "postmaster.pid") is not None


def test_a_path_too_long_for_a_socket_gets_a_short_one_and_a_link(folder: Path) -> None:
    settings = _checkout(folder / ("a-long-name-" * 10) / "project")
    said: list[str] = []
    warehouse = open_warehouse(settings, announce=said.append)
    assert len(os.fsencode(warehouse.host)) + len("/.s.PGSQL.5432") <= 103
    link = settings.state_folder / "run"
    assert link.is_symlink() and str(link.resolve()) == warehouse.host
    assert (settings.state_folder / "pgdata").is_dir() and not (settings.state_folder / "pgdata").is_symlink()
    assert any("too long a path for a socket" in line for line in said)
    _write_row(warehouse)
    _kill_server(settings)
    assert _rows(open_warehouse(settings, announce=said.append)) == 1
    removed = remove_embedded(settings)
    assert Path(warehouse.host).parent in removed
    assert not Path(warehouse.host).parent.exists() and not link.is_symlink()


@pytest.mark.parametrize("name", ['it\'s-"x"-$HOME-`id`-\\\\-über+a:b%20c', "first, second words"])
def test_a_checkout_may_have_any_name(folder: Path, name: str) -> None:
    """Blanks and commas in a socket's path are lost on the way through dlt and libpq."""
    settings = _checkout(folder / name)
    warehouse = open_warehouse(settings, announce=lambda line: None)
    _write_row(warehouse)
    _kill_server(settings)
    assert _rows(open_warehouse(settings, announce=lambda line: None)) == 1
    assert warehouse.host == str((settings.state_folder / "run").resolve())
    # The two ways in which dlt connects, by the address as dlt writes it.
    credentials = PostgresCredentials()
    credentials.parse_native_representation(warehouse.dsn_url())
    for connect in (adbc_driver_postgresql.dbapi.connect, psycopg2.connect):
        with closing(connect(credentials.to_native_representation())) as connection, connection.cursor() as cursor:
            cursor.execute("select current_setting('data_directory')")
            assert cursor.fetchone()[0] == str(settings.state_folder / "pgdata")


def test_no_postgresql_on_the_path_is_needed(shared: Settings) -> None:
    """The machine's own PostgreSQL, of another version, must play no part."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN, str(shared.project_root)],
        env={"PATH": "/nowhere", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("0 ")


def test_a_server_survives_the_command_and_the_signals_of_its_terminal(shared: Settings) -> None:
    """Ctrl-C goes to the whole foreground group: a server in it would stop in the middle of others' work."""
    command = [sys.executable, "-c", OPEN + "; import os, signal; os.killpg(0, signal.SIGINT)"]
    done = subprocess.run(
        [*command, str(shared.project_root)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0
    assert embedded_status(shared).is_running


def test_the_server_holds_none_of_the_callers_secrets(shared: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment lives as long as the server, and other processes of its user can read it."""
    if not Path("/proc/self/environ").exists():
        pytest.skip("no /proc: a process's environment can't be read")
    monkeypatch.setenv("CLOUD_TOKEN", "s3cret")
    open_warehouse(shared, announce=lambda line: None)
    pid = embedded_status(shared).pid
    assert b"s3cret" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_what_an_interrupted_first_start_left_is_swept(project: Settings) -> None:
    leftover = project.state_folder / "pgdata.new-1"
    leftover.mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18\n")
    if IS_ROOT:
        project.state_folder.chmod(0o711)
    open_warehouse(project, announce=lambda line: None)
    assert not leftover.exists()


def test_a_broken_data_directory_is_reported_in_the_servers_own_words_and_left_alone(shared: Settings) -> None:
    open_warehouse(shared, announce=lambda line: None)
    stop_embedded(shared)
    control = embedded_status(shared).data_folder / "global" / "pg_control"
    aside = control.rename(control.with_name("aside"))
    try:
        with pytest.raises(InfrastructureError, match=r"pg_control.*the data is as it was") as error:
            open_warehouse(shared, announce=lambda line: None)
    finally:
        aside.rename(control)
    assert error.value.next_command.startswith("tail ")
    assert open_warehouse(shared, announce=lambda line: None).is_embedded


def test_a_server_that_serves_other_data_is_not_trusted(folder: Path) -> None:
    """A link or a copied folder may lead to another checkout's server: its rows must stay its own."""
    first, second = _checkout(folder / "first"), _checkout(folder / "second")
    for settings in (first, second):
        open_warehouse(settings, announce=lambda line: None)
    stop_embedded(second)
    shutil.rmtree(second.state_folder / "run")
    (second.state_folder / "run").symlink_to(first.state_folder / "run")
    with pytest.raises(InfrastructureError, match="nothing was read or written"):
        open_warehouse(second, announce=lambda line: None)
    (second.state_folder / "run").unlink()


def test_a_checkout_that_was_moved_with_a_link_to_outside_data_is_refused(folder: Path) -> None:
    settings = _checkout(folder / "project")
    settings.state_folder.mkdir(mode=0o755)
    (settings.state_folder / "pgdata").symlink_to(folder / "of another place")
    with pytest.raises(InfrastructureError, match="moved or copied"):
        open_warehouse(settings, announce=lambda line: None)


def test_a_folder_that_somebody_else_prepared_is_refused(folder: Path) -> None:
    """The outside folder has a name that others can guess, in a place where others can write."""
    settings = _checkout(folder / ("a-long-name-" * 10) / "project")
    outside = placement.outside_folder(settings.state_folder)
    outside.mkdir(mode=0o700)
    try:
        if IS_ROOT:
            with pytest.raises(InfrastructureError, match="of user root, expected a folder that only"):
                open_warehouse(settings, announce=lambda line: None)
            owner = placement.server_user(settings.state_folder / "pgdata")
            assert owner is not None
            os.chown(outside, owner.uid, owner.gid)
        outside.chmod(0o770)
        with pytest.raises(InfrastructureError, match=r"got drwxrwx--- of user .*; the server was not started"):
            open_warehouse(settings, announce=lambda line: None)
    finally:
        outside.rmdir()


def test_after_env_the_same_server_still_counts_as_embedded(shared: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `make down` then `make ingest` in that shell would wait for a server that nobody starts."""
    warehouse = open_warehouse(shared, announce=lambda line: None)
    for name, value in warehouse.libpq_environment().items():
        monkeypatch.setenv(name, value)
    stop_embedded(shared)
    assert answering_warehouse(shared) is None
    assert open_warehouse(shared, announce=lambda line: None) == warehouse
    assert answering_warehouse(shared) == warehouse


def test_another_database_on_the_embedded_server_is_made_when_named(
    shared: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGDATABASE", "scratch")
    assert open_warehouse(shared, announce=lambda line: None).dbname == "scratch"
    monkeypatch.setenv("PGUSER", "somebody_else")
    assert open_warehouse(shared, announce=lambda line: None).user == "omni"


def test_down_does_not_stop_a_given_server(shared: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_warehouse(shared, announce=lambda line: None)
    monkeypatch.setenv("PGHOST", "db.example.org")
    with pytest.raises(CommandUsageError, match="nothing was stopped"):
        stop_embedded(shared)
    assert embedded_status(shared).is_running


@pytest.mark.skipif(not IS_ROOT, reason="only root runs the server as somebody else")
def test_in_a_home_that_the_servers_user_can_not_enter_data_and_programs_go_outside(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root with a 0700 home: initdb and the server would end in 'permission denied'."""
    home = folder / "home"
    settings = _checkout(home / "project")
    package = placement.find_binaries().parents[1]
    shutil.copytree(placement.find_binaries().parent, home / "site" / package.name / "pginstall18", symlinks=True)
    shutil.copytree(f"{package}.libs", home / "site" / f"{package.name}.libs")
    monkeypatch.setattr(placement, "find_binaries", lambda: home / "site" / package.name / "pginstall18" / "bin")
    home.chmod(0o700)
    said: list[str] = []
    warehouse = open_warehouse(settings, announce=said.append)
    outside = placement.outside_folder(settings.state_folder)
    assert any("can't enter" in line and str(outside) in line for line in said)
    assert any("a copy is in" in line for line in said)
    assert embedded_status(settings).data_folder == outside / "pgdata"
    assert outside.stat().st_mode & 0o077 == 0
    _write_row(warehouse)
    _kill_server(settings)
    assert _rows(open_warehouse(settings, announce=said.append)) == 1
    remove_embedded(settings)
    assert not outside.exists()


@pytest.mark.skipif(not IS_ROOT, reason="only root can become another user")
def test_a_user_other_than_root_runs_a_server_of_their_own(folder: Path) -> None:
    """The common case, tested also where the tests run as root."""
    root = folder / "project"
    shutil.copytree(ROOT / "loader", root / "loader", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "infra", root / "infra")
    shutil.copy(ROOT / "pyproject.toml", root)
    for path in (root, *root.rglob("*")):
        os.chown(path, 65534, 65534)
    packages = Path(placement.find_binaries()).parents[2]
    python = _python_for_nobody(packages)
    if python is None:
        pytest.skip(f"user 65534 can run no Python {sys.version_info[0]}.{sys.version_info[1]} with {packages}")
    for _ in range(2):
        done = subprocess.run(
            [python, "-c", OPEN, str(root)],
            user=65534,
            group=65534,
            extra_groups=[],
            cwd=root,
            env={
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": f"{root}{os.pathsep}{packages}",
                "HOME": "/nonexistent",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"0 {root / '.local' / 'run'}\n"
        assert "root may not" not in done.stderr
    assert (root / ".local" / "pgdata").stat().st_uid == 65534
    # Root takes over what that user made, without changing the owner.
    settings = load_settings(project_root=root)
    stop_embedded(settings)
    open_warehouse(settings, announce=lambda line: None)
    assert (root / ".local" / "pgdata").stat().st_uid == 65534


def _python_for_nobody(packages: Path) -> str | None:
    """An interpreter like this one that user 65534 can start and that can import `packages`."""
    version = sys.version_info[:2]
    check = f"import sys; assert sys.version_info[:2] == {version}; import psycopg2, pydantic_settings"
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            done = subprocess.run(
                [candidate, "-c", check],
                user=65534,
                group=65534,
                extra_groups=[],
                cwd="/",
                env={"PYTHONPATH": str(packages)},
                capture_output=True,
                check=False,
            )
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    return None
