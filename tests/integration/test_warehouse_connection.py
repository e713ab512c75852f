"""Connections and tables on a real server: what sessions carry, how the SQL files are applied, what errors say."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import dlt
import psycopg2
import pyarrow as pa
import pytest

from loader.config import load_settings
from loader.errors import InfrastructureError
from loader.warehouse import Warehouse, answering_warehouse, ddl, open_warehouse
from loader.warehouse.versions import read_definition
from tests.checkouts import ROOT
from tests.integration.applied import applied_at_once

FILES = ROOT / "infra" / "postgres"


def _query(warehouse: Warehouse, statement: str, **connect: Any) -> Any:
    with closing(warehouse.connect(autocommit=True, **connect)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else None


def test_a_session_has_its_name_its_settings_and_utc(database: Warehouse) -> None:
    shown = _query(
        database,
        "select current_setting('omni.run_id'), current_setting('application_name'), current_setting('TimeZone')",
        application_name="omnisupport load",
        settings={"omni.run_id": "run-1"},
    )
    assert shown == [("run-1", "omnisupport load", "UTC")]


def test_settings_reach_every_session_of_a_dlt_load_by_insert_and_by_adbc(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bronze's insert trigger knows a writer by these settings; lost on the way, every load would be refused."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    _query(
        database,
        """
        create schema probe;
        create table probe.seen (setting text);
        create table probe.thing (id bigint primary key, _dlt_load_id text);
        create function probe.note() returns trigger language plpgsql as $$
        begin
            insert into probe.seen values (concat_ws(' ', current_setting('omni.run_id', true),
                current_setting('omni.attempt', true), current_setting('application_name')));
            return null;
        end $$;
        create trigger note after insert on probe.thing for each statement execute function probe.note();
        """,
    )
    url = database.dsn_url(application_name="load-7", settings={"omni.run_id": "run-7", "omni.attempt": "1"})
    for number, file_format in enumerate(("parquet", "insert_values"), start=1):
        pipeline = dlt.pipeline(
            f"probe_{file_format}",
            pipelines_dir=str(tmp_path),
            destination=dlt.destinations.postgres(credentials=url),
            dataset_name="probe",
        )
        rows = dlt.resource([pa.table({"id": [number]})], name="thing", write_disposition="append")
        pipeline.run(rows, loader_file_format=file_format)
    assert _query(database, "select setting, count(*) from probe.seen group by 1") == [("run-7 1 load-7", 2)]


def test_an_unreachable_server_is_an_infrastructure_error_with_the_next_command(tmp_path: Path) -> None:
    nowhere = Warehouse(host=str(tmp_path), port=5999, user="omni", dbname="d")
    with pytest.raises(InfrastructureError, match=r":5999, database d, user omni: got .*nothing was read") as error:
        nowhere.connect()
    assert error.value.exit_code == 3
    command, words = error.value.next_command.split("   # ")
    assert command == f"pg_isready -h {tmp_path} -p 5999"
    assert words == "start it, or name another server: PGHOST, PGPORT"


def test_a_missing_database_names_the_command_that_makes_it(server: Warehouse) -> None:
    missing = Warehouse(
        host=server.host, port=server.port, user=server.user, dbname="no such", passfile=server.passfile
    )
    with pytest.raises(InfrastructureError) as error:
        missing.connect()
    assert error.value.next_command == f"createdb -h {server.host} -p {server.port} -U {server.user} 'no such'"


def test_a_server_that_is_too_old_is_refused_before_any_table_is_made(
    loader_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loader.warehouse.OLDEST_SERVER_VERSION", 990000)
    with pytest.raises(InfrastructureError, match="expected 99 or newer; no table was created"):
        open_warehouse(load_settings(), announce=lambda line: None)


def test_a_given_server_is_used_as_it_is(database: Warehouse, loader_environment: dict[str, str]) -> None:
    said: list[str] = []
    assert open_warehouse(load_settings(), announce=said.append).dbname == database.dbname
    assert said == []
    answering = answering_warehouse(load_settings())
    assert answering is not None and answering.dbname == database.dbname


def test_a_database_without_the_tables_does_not_count_as_answering(
    database: Warehouse, loader_environment: dict[str, str]
) -> None:
    _query(database, "drop table ops.schema_version")
    assert answering_warehouse(load_settings()) is None


def test_files_are_applied_once_and_again_when_one_changes(database: Warehouse, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FILES, tmp_path / "sql"))
    with closing(database.connect()) as connection:
        assert ddl.ensure_schema(connection, folder) is False
        (folder / "99_more.sql").write_text("create table ops.more (id integer);")
        assert ddl.ensure_schema(connection, folder) is True
        assert ddl.ensure_schema(connection, folder) is False
        assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE
        recorded = ddl.recorded_version(connection)
        assert recorded is not None and recorded.sha256 == read_definition(folder).sha256
    assert _query(database, "select count(*) from ops.more") == [(0,)]


def test_files_may_be_applied_over_a_database_in_use(database: Warehouse) -> None:
    """A new version must not drop rows, and every statement must bear a second run."""
    _query(
        database,
        "insert into ops.ruleset (ruleset_sha256, contract_ref, components) values (repeat('a', 64), '', '{}')",
    )
    _query(database, "update ops.schema_version set definition_sha256 = repeat('0', 64)")
    with closing(database.connect()) as connection:
        assert ddl.ensure_schema(connection, FILES) is True
    assert _query(database, "select count(*) from ops.ruleset") == [(1,)]


def test_a_broken_file_leaves_the_database_as_it_was(database: Warehouse, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(FILES, tmp_path / "sql"))
    (folder / "98_good.sql").write_text("create table ops.good (id integer);")
    (folder / "99_bad.sql").write_text("create tabel ops.bad (id integer);")
    with closing(database.connect()) as connection:
        before = ddl.recorded_version(connection)
        with pytest.raises(InfrastructureError, match=r"syntax error.*no table was created or changed"):
            ddl.ensure_schema(connection, folder)
        assert ddl.recorded_version(connection) == before
    assert _query(database, "select to_regclass('ops.good')") == [(None,)]


def test_no_files_is_an_error_and_not_up_to_date(database: Warehouse, tmp_path: Path) -> None:
    with closing(database.connect()) as connection, pytest.raises(InfrastructureError, match="got no SQL file"):
        ddl.ensure_schema(connection, tmp_path)


def test_a_role_that_may_not_create_is_told_which_grant_it_lacks(database: Warehouse) -> None:
    role = f"omni_reader_{os.getpid()}"
    _query(database, f"create role {role}; drop schema ops cascade; drop schema bronze cascade")
    try:
        with closing(database.connect()) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute(f"set session authorization {role}")
            with pytest.raises(InfrastructureError, match="permission denied") as error:
                ddl.ensure_schema(connection, FILES)
        assert "-f infra/postgres/roles.sql" in error.value.next_command
    finally:
        _query(database, f"drop role {role}")


def test_processes_that_apply_at_once_queue_instead_of_colliding(database: Warehouse) -> None:
    _query(database, "drop schema ops cascade; drop schema bronze cascade")
    results = applied_at_once(4, database, FILES)
    assert set(results) == {True} or set(results) == {True, False}, results
