"""Addresses without a server: libpq variables, password files, URLs for dlt."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg2
import pytest

from loader.errors import CommandUsageError
from loader.warehouse.connection import Warehouse, given_warehouse
from loader.warehouse.roles import find_password, passfile_line
from loader.warehouse.session import MEANING, unbounded

SOCKET = Warehouse(host="/tmp/a+b/run", port=5432, user="omni", dbname="omnisupport", is_embedded=True)
REMOTE = Warehouse(host="db.example.org", port=6543, user="o@m", dbname="tickets/1")


def test_without_pghost_no_server_is_given() -> None:
    assert given_warehouse({"PGPORT": "1", "PGUSER": "somebody", "PGHOST": ""}) is None


def test_libpq_variables_name_the_server(tmp_path: Path) -> None:
    passfile = tmp_path / "pass"
    passfile.write_text("")
    given = given_warehouse(
        {
            "PGHOST": "h",
            "PGPORT": "6000",
            "PGUSER": "u",
            "PGDATABASE": "d",
            "PGPASSWORD": "s3cret",
            "PGPASSFILE": str(passfile),
        }
    )
    assert given == Warehouse(host="h", port=6000, user="u", dbname="d", passfile=passfile)
    assert "s3cret" not in repr(given)
    assert "s3cret" not in str(given.libpq_environment())


@pytest.mark.parametrize(
    ("variable", "value"),
    [("PGHOSTADDR", "10.0.0.1"), ("PGSERVICE", "prod"), ("PGPORT", "5432x"), ("PGPORT", "0")],
)
def test_variables_that_would_lead_libpq_elsewhere_are_refused(variable: str, value: str) -> None:
    """PGHOSTADDR beats the host that we name: rows would land on another server."""
    with pytest.raises(CommandUsageError, match=f"{variable}: got '{value}'"):
        given_warehouse({"PGHOST": "h", variable: value})


def test_a_url_keeps_every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "p@ss:w/rd+%")
    parts = urlsplit(REMOTE.dsn_url(application_name="load-1", settings={"omni.run_id": "r-1"}))
    assert (parts.hostname, parts.port, unquote(parts.path)) == ("db.example.org", 6543, "/tickets/1")
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == ("o@m", "p@ss:w/rd+%")
    query = parse_qs(parts.query)
    assert query["application_name"] == ["load-1"]
    bounds = "\t".join(f"-c{name}=0" for name in unbounded(150000))
    meaning = "\t".join(f"-c{name}={value}" for name, value in MEANING.items())
    assert query["options"] == [f"-cTimeZone=UTC\t-csearch_path=pg_catalog\t{meaning}\t{bounds}\t-comni.run_id=r-1"]
    assert "host" not in query


def test_a_socket_folder_travels_as_a_field_and_a_password_is_always_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """dlt refuses an address without a password, also under trust."""
    monkeypatch.setenv("PGPASSWORD", "of-another-server")
    parts = urlsplit(SOCKET.dsn_url())
    assert (parts.hostname, parts.username, parts.password) == ("localhost", "omni", "none")
    assert parse_qs(parts.query)["host"] == ["/tmp/a+b/run"]


def test_what_a_url_for_dlt_would_change_is_refused() -> None:
    """dlt writes a blank as "+": the session would carry another name than the one that is searched for."""
    with pytest.raises(ValueError, match="blank"):
        REMOTE.dsn_url(application_name="two words")
    with pytest.raises(CommandUsageError, match="got one with a blank") as error:
        replace(REMOTE, user="o m").dsn_url()
    assert error.value.exit_code == 2
    for name, value in (("omni.x", "a b"), ("omni.x", "a\\b"), ("omni.x", "a\nb"), ("omni x", "a")):
        with pytest.raises(ValueError, match="session setting"):
            REMOTE.dsn_url(settings={name: value})


def _with_passfile(path: Path, text: str, mode: int = 0o600) -> Warehouse:
    path.write_text(text)
    path.chmod(mode)
    return Warehouse(host="/so:ck\\et", port=5432, user="omni", dbname="d", passfile=path)


def test_the_first_matching_line_of_the_password_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    lines = [
        "#/so\\:ck\\\\et:5432:*:omni:commented",
        "other:5432:d:omni:other host",
        "/so\\:ck\\\\et:5433:d:omni:other port",
        "too:few:fields",
        "/so\\:ck\\\\et:5432:*:omni:with:colon\\\\and\\:more",
        "*:*:*:*:last",
    ]
    warehouse = _with_passfile(tmp_path / "pass", "\n".join(lines))
    assert find_password(warehouse) == "with:colon\\and:more"


def test_a_line_that_we_write_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    warehouse = _with_passfile(tmp_path / "pass", "")
    _with_passfile(tmp_path / "pass", passfile_line(warehouse, "x"))
    assert find_password(warehouse) == "x"


def test_a_password_file_that_others_can_read_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    assert find_password(_with_passfile(tmp_path / "pass", "*:*:*:*:x", mode=0o640)) is None


def test_no_server_is_sent_a_timeout_that_it_does_not_know() -> None:
    """An unknown setting keeps a session from beginning: transaction_timeout is new in PostgreSQL 17."""
    assert set(unbounded(170000)) - set(unbounded(160014)) == {"transaction_timeout"}
    assert {"idle_session_timeout", "statement_timeout"} < set(unbounded(150000))
    assert set(unbounded(180004).values()) == {"0"}


def test_a_server_that_asks_for_a_password_is_not_to_be_started() -> None:
    refused = psycopg2.OperationalError("connection failed: fe_sendauth: no password supplied")
    command = REMOTE.unreachable(refused).next_command
    assert command.split("   # ")[0] == "psql -h db.example.org -p 6543 -U o@m -d tickets/1"
    assert "PGPASSFILE" in command
