"""What the Arrow route rests on and nobody documents (docs/decisions/0002): pinned here by name.

Its fallback, CSV, must bring the same.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.bronze.columns import BRONZE, RECORD_EVENT, BronzeTable
from loader.bronze.load import staging_dataset
from loader.errors import InfrastructureError
from loader.warehouse import Warehouse
from tests.ingests import rows, ticket
from tests.integration.bronze_fixtures import accepted, new_asset, writer


@pytest.fixture(params=["parquet", "csv"], autouse=True)
def route(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADER_LOAD_FORMAT", request.param)


TYPES = """
select column_name, case data_type when 'ARRAY' then substr(udt_name, 2) || '[]'
    when 'timestamp with time zone' then 'timestamptz' else data_type end, is_nullable = 'YES'
from information_schema.columns where table_schema = %s and table_name = %s order by ordinal_position
"""


@pytest.mark.parametrize("table", BRONZE, ids=lambda table: table.name)
def test_our_tables_have_the_columns_that_the_loader_fills(database: Warehouse, table: BronzeTable) -> None:
    """The DDL and columns.py are two lists of the same."""
    assert sorted(rows(database, TYPES, "bronze", table.name)) == sorted(table.columns)


def test_staging_has_the_types_of_bronze(database: Warehouse, tmp_path: Path) -> None:
    """Made by us before dlt looks: its own would hold a uuid as bytea and text[] as jsonb."""
    with writer(database, tmp_path) as one:
        one.load(one.batch([ticket(1)], asset_id=new_asset(database, "a")))
        for table in BRONZE:
            name = "raw_ticket_event" if table is RECORD_EVENT else table.name
            staged = rows(database, TYPES, staging_dataset(one.attempt), name)
            assert {name: kind for name, kind, _ in staged} == {name: kind for name, kind, _ in table.columns}


def test_uuid_is_filled_from_bytes_and_text_array_from_a_list(database: Warehouse, tmp_path: Path) -> None:
    late = ticket(1, ticket_id="TKT-20260416-000001", updated_at="2026-04-16T07:00:00.1234567Z")
    with writer(database, tmp_path) as one:
        one.load(one.batch([late], asset_id=new_asset(database, "a")))
        (row,) = rows(
            database,
            "select uuid_send(event_id), warning_codes, run_id::text, updated_at at time zone 'UTC', raw_payload"
            " from bronze.raw_ticket_event",
        )
    record = accepted(late)
    assert bytes(row[0]) == record.event_id
    assert row[1] == ["ticket_day_mismatch", "updated_before_created"]
    assert row[2] == str(one.attempt.run_id)
    assert row[3].isoformat() == "2026-04-16T07:00:00.123456"
    assert row[4].encode() == record.canonical


def test_a_load_id_is_known_while_its_package_is_extracted(database: Warehouse, tmp_path: Path) -> None:
    """Rows carry the id of the load that dlt then reports; a second pass would have to write it otherwise."""
    with writer(database, tmp_path) as one:
        load_id = one.load(one.batch([ticket(1)], asset_id=new_asset(database, "a")))
        assert rows(database, "select distinct _dlt_load_id from bronze.raw_ticket_event") == [(load_id,)]
        assert rows(database, "select load_id from bronze._dlt_loads") == [(load_id,)]


@pytest.mark.parametrize("route", ["auto"], indirect=True)
def test_only_a_load_of_many_lines_is_worth_a_connection_of_adbc(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(**_: object) -> None:
        raise RuntimeError("asked for all types")

    monkeypatch.setattr("adbc_driver_manager.dbapi.connect", refused)
    monkeypatch.setattr("loader.bronze.load._WORTH_A_BINARY_COPY", 3)
    asset_id = new_asset(database, "few")
    for number in (1, 2):
        with writer(database, tmp_path / str(number)) as few:
            few.load(few.batch([ticket(number), ticket(number + 2)], asset_id=asset_id))
    with writer(database, tmp_path / "many") as many, pytest.raises(InfrastructureError, match="asked for all types"):
        many.load(many.batch([ticket(number) for number in (5, 6, 7)], asset_id=asset_id))
