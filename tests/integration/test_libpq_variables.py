"""What a shell still holds of libpq's variables, and the servers that the loader reaches nevertheless."""

from __future__ import annotations

import ctypes
import os
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

from loader.config import Settings
from loader.environment import VARIABLES, foreign
from loader.errors import CommandUsageError, InfrastructureError
from loader.warehouse import (
    Warehouse,
    answers,
    embedded,
    embedded_status,
    find_warehouse,
    open_warehouse,
    stop_embedded,
)
from loader.warehouse.connection import given_warehouse
from tests.checkouts import ROOT

# Startup packets carry these; libpq lists no option for them.
WITHOUT_OPTION = {"PGDATESTYLE", "PGGEQO", "PGTZ"}
# Values that each, by itself, would keep a session out, or bend it.
BENT = {
    "PGAPPNAME": "two words",
    "PGCHANNELBINDING": "require",
    "PGCLIENTENCODING": "LATIN1",
    "PGDATESTYLE": "German",
    "PGGSSENCMODE": "require",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGPASSWORD": "of-another-server",
    "PGPORT": "1",
    "PGREQUIREAUTH": "gss",
    "PGSERVICE": "no-such-service",
    "PGTARGETSESSIONATTRS": "standby",
    "PGTZ": "Asia/Tokyo",
    "PGUSER": "somebody",
}


def _libpq_lists() -> set[str]:
    """The variables that the libpq of this environment knows."""

    class Option(ctypes.Structure):
        _fields_ = (
            *((name, ctypes.c_char_p) for name in ("keyword", "variable", "compiled", "value", "label", "shown")),
            ("size", ctypes.c_int),
        )

    library = next(line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libpq" in line)
    defaults = ctypes.CDLL(library).PQconndefaults
    defaults.restype = ctypes.POINTER(Option)
    options, found, place = defaults(), set(), 0
    while options[place].keyword:
        if options[place].variable:
            found.add(options[place].variable.decode())
        place += 1
    return found


@pytest.fixture
def bent(no_given_server: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A shell that holds every variable that libpq knows, but no PGHOST."""
    for name in _libpq_lists() | WITHOUT_OPTION:
        if name not in ("PGHOST", "PGDATABASE"):
            monkeypatch.setenv(name, BENT.get(name, "left-over"))
    yield


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="libpq's list is found by /proc")
def test_every_variable_of_libpq_is_known() -> None:
    """Prevents a variable of a later libpq from being left in the shell by `make env`."""
    assert _libpq_lists() | WITHOUT_OPTION <= set(VARIABLES)


def test_with_a_given_server_what_says_how_it_is_reached_counts_and_no_more() -> None:
    shell = dict.fromkeys([*VARIABLES, "PATH", "PGDATA"], "x")
    assert set(foreign(shell, is_embedded=True)) == {*VARIABLES, "PGDATA"} - {"PGHOST", "PGDATABASE"}
    assert set(foreign(shell, is_embedded=False)) == {
        *("PGAPPNAME", "PGCLIENTENCODING", "PGDATESTYLE", "PGGEQO", "PGOPTIONS", "PGTZ")
    }


@pytest.mark.usefixtures("bent")
def test_the_embedded_server_is_reached_with_its_own_settings_only(shared: Settings) -> None:
    """Prevents a busy loop of ten minutes, and sessions of another zone, because a shell still holds a password."""
    began = time.monotonic()
    warehouse = open_warehouse(shared, announce=lambda line: None)
    assert time.monotonic() - began < 60
    credentials = PostgresCredentials()
    credentials.parse_native_representation(warehouse.dsn_url())
    address = credentials.to_native_representation()
    for connection in (warehouse.connect(), psycopg2.connect(address), adbc_driver_postgresql.dbapi.connect(address)):
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(
                "select current_user::text, current_setting('TimeZone'), current_setting('client_encoding'),"
                " current_setting('transaction_read_only'), current_setting('application_name')"
            )
            assert tuple(cursor.fetchone()) == ("omni_loader", "UTC", "UTF8", "off", "loader")
    assert embedded_status(shared).is_running
    assert sorted(name for name in os.environ if name.startswith("PG")) == []


@pytest.mark.usefixtures("bent")
def test_it_is_its_own_also_where_pghost_names_its_socket(shared: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `eval "$(make -s env)"`, and an export afterwards."""
    open_warehouse(shared, announce=lambda line: None)
    for name, value in {**BENT, "PGHOST": str(shared.state_folder / "run"), "PGSERVICE": "", "PGPORT": "5432"}.items():
        monkeypatch.setenv(name, value)
    assert find_warehouse(shared).is_embedded
    assert embedded_status(shared).is_running


def test_no_session_of_a_given_server_is_bent(database: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGAPPNAME", "PGCLIENTENCODING", "PGDATESTYLE", "PGOPTIONS", "PGTZ"):
        monkeypatch.setenv(name, BENT[name])
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("select current_setting('TimeZone'), current_setting('client_encoding')")
        assert cursor.fetchone() == ("UTC", "UTF8")


@pytest.mark.parametrize("variable", ["PGHOST", "PGUSER", "PGDATABASE", "PGPASSFILE"])
def test_a_character_that_nobody_meant_is_refused_with_the_variables_name(variable: str) -> None:
    """Prevents a host, or a new database, whose name ends with a carriage return."""
    with pytest.raises(CommandUsageError) as error:
        given_warehouse({"PGHOST": "h", variable: "x\r"})
    assert error.value.message.startswith(f"{variable}: got {'x' + chr(13)!r}, expected it without the carriage return")


@pytest.mark.usefixtures("no_given_server")
def test_a_server_that_refuses_is_not_starting(project: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents ten minutes without a word: it has answered, and will answer the same again."""
    open_warehouse(project, announce=lambda line: None)
    doors = embedded_status(project).data_folder / "pg_hba.conf"
    written = doors.read_text()
    doors.write_text("local all all reject\n")
    pid = embedded_status(project).pid
    os.kill(pid or 0, 1)
    began = time.monotonic()
    while embedded_status(project).is_running:
        assert time.monotonic() - began < 10
    with pytest.raises(InfrastructureError, match=r"rejects connection.* The server is up and lets this user not in"):
        open_warehouse(project, announce=lambda line: None)
    assert time.monotonic() - began < 20
    # What is told next works; as it does where the socket is gone, which a server does not notice.
    doors.write_text(written)
    os.kill(pid or 0, 1)
    (embedded_status(project).socket_folder / ".s.PGSQL.5432").unlink()
    monkeypatch.setattr(answers, "ANSWER_TIMEOUT_SECONDS", 0.5)
    with pytest.raises(InfrastructureError, match=f"process {pid} of .* says that it is ready, and nobody listens in"):
        open_warehouse(project, announce=lambda line: None)
    monkeypatch.setattr(answers, "ANSWER_TIMEOUT_SECONDS", 10.0)
    assert stop_embedded(project)
    embedded.start(project.state_folder, lambda line: None)
    assert doors.read_text() == written


def test_make_env_unsets_what_would_lead_elsewhere(database: Warehouse) -> None:
    shell = {**database.libpq_environment(), "PGTZ": "Asia/Tokyo", "PGSSLMODE": "prefer", "PGDATA": "/data"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | shell
    done = subprocess.run(
        [sys.executable, "-c", "from loader.cli import main; main(['env', '--role', 'loader'])"],
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("unset PGTZ; export PGHOST=")
