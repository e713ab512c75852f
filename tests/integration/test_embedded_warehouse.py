"""The embedded PostgreSQL on real servers: first start, no-op, recovery, what a session finds."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from loader.config import Settings
from loader.errors import CommandUsageError, InfrastructureError
from loader.kinds import load_kinds
from loader.warehouse import (
    answering_warehouse,
    embedded_status,
    open_warehouse,
    postmaster,
    stop_embedded,
)
from tests.checkouts import ROOT
from tests.integration.embedded_servers import IS_ROOT, OPEN, WORK, kill_server, rows, wait_for, write_row

pytestmark = pytest.mark.usefixtures("no_given_server")


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
            " (select array_agg(tablename::text order by tablename) from pg_tables where schemaname = 'bronze')"
        )
        landings = [kind.landing for kind in load_kinds(ROOT / "contracts").values()]
        partitions = [landing.bronze for landing in landings if landing is not None]
        tables = sorted(["_dlt_loads", "asset_line", *partitions, "record_event", "rejected_record"])
        assert cursor.fetchone() == ("", "on", "UTC", "on", tables)

    said.clear()
    assert open_warehouse(project, announce=said.append) == warehouse
    assert said == []
    assert embedded_status(project) == first


def test_nobody_else_can_reach_the_socket_or_the_files(shared: Settings) -> None:
    """The doors without a password are only as good as the folder around the socket."""
    warehouse = open_warehouse(shared, announce=lambda line: None)
    for path in (Path(warehouse.host), embedded_status(shared).data_folder):
        assert path.stat().st_mode & 0o077 == 0, path
    assert shared.state_folder.joinpath("pgpass").stat().st_mode & 0o077 == 0
    assert embedded_status(shared).data_folder.with_name("postgres.log").stat().st_mode & 0o077 == 0
    hba = embedded_status(shared).data_folder.joinpath("pg_hba.conf").read_text()
    assert hba.splitlines() == [
        "local all omni peer map=checkout",
        "local all omni_transform peer map=checkout",
        "local all all scram-sha-256",
    ]


def test_rows_stay_over_stop_and_start(shared: Settings) -> None:
    warehouse = open_warehouse(shared, announce=lambda line: None)
    write_row(warehouse)
    assert stop_embedded(shared) is True
    assert stop_embedded(shared) is False
    assert not embedded_status(shared).is_running
    assert rows(open_warehouse(shared, announce=lambda line: None)) == 1


def test_after_kill_9_the_next_command_recovers_with_every_committed_row(project: Settings) -> None:
    """A stale postmaster.pid and socket must not keep the warehouse down until somebody cleans up by hand."""
    warehouse = open_warehouse(project, announce=lambda line: None)
    write_row(warehouse)
    killed = kill_server(project)
    assert rows(open_warehouse(project, announce=lambda line: None)) == 1
    assert embedded_status(project).pid != killed


def test_kill_9_while_a_session_works_waits_for_the_orphan_and_keeps_only_what_was_committed(
    project: Settings,
) -> None:
    """Two servers on one data directory destroy it: the orphan of the first has to be gone before."""
    warehouse = open_warehouse(project, announce=lambda line: None)
    write_row(warehouse)
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

        wait_for(is_working)
    killed = kill_server(project)
    wait_for(lambda: not postmaster.is_server_process(killed, data_folder))
    assert rows(open_warehouse(project, announce=lambda line: None)) == 1
    busy.wait(timeout=5)


def test_lock_files_that_name_a_stranger_a_zombie_or_nobody_are_stale(project: Settings) -> None:
    """After a reboot the old id may belong to anybody; where nothing reaps, a dead server stays a zombie."""
    write_row(open_warehouse(project, announce=lambda line: None))
    status = embedded_status(project)
    for kind in ("stranger", "zombie", "empty"):
        kill_server(project)
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
            assert rows(open_warehouse(project, announce=lambda line: None)) == 1
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


def test_a_server_survives_the_command_and_the_signals_of_its_terminal(shared: Settings) -> None:
    """Ctrl-C goes to the whole foreground group: a server in it would stop in the middle of others' work."""
    command = [
        sys.executable,
        "-c",
        OPEN + "; import os, signal; signal.signal(2, signal.default_int_handler); os.killpg(0, 2)",
    ]
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
    assert open_warehouse(shared, announce=lambda line: None).user == "omni_loader"


def test_down_does_not_stop_a_given_server(shared: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    open_warehouse(shared, announce=lambda line: None)
    monkeypatch.setenv("PGHOST", "db.example.org")
    with pytest.raises(CommandUsageError, match="nothing was stopped"):
        stop_embedded(shared)
    assert embedded_status(shared).is_running
