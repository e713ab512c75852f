"""Events of a kind lie in a partition. A statement fires the triggers of the table that it names and of no other: each
guard stands on both, and whatever is done to a partition as a whole is seen."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from loader.silver.proof import unwatched_table
from loader.warehouse import Warehouse
from tests.ingests import rows, ticket
from tests.integration.bronze_fixtures import new_asset, writer

BOTH = pytest.mark.parametrize("table", ["record_event", "raw_ticket_event"])
MAINTAINED = "set omni.maintenance = 'repair'; "


@pytest.fixture
def landed(database: Warehouse, tmp_path: Path) -> Warehouse:
    """Three events of a completed load."""
    records, asset_id = [ticket(1), ticket(2), ticket(3)], new_asset(database, "a")
    with writer(database, tmp_path) as one:
        one.load(one.batch(records, asset_id=asset_id))
        one.complete(records, asset_id=asset_id)
    rows(database, "truncate ops.unproved_change")
    return database


@BOTH
@pytest.mark.parametrize(
    "statement",
    [
        "update bronze.{table} set person_id = 'somebody'",
        "delete from bronze.{table}",
        "truncate bronze.{table}",
        "insert into bronze.{table} select * from bronze.{table} where false",
    ],
)
def test_rows_change_by_name_of_the_whole_no_more_than_by_name_of_the_kind(
    landed: Warehouse, table: str, statement: str
) -> None:
    """Prevents a way around append-only, and an insert by who does not hold the ingest lock."""
    with pytest.raises(psycopg2.errors.RaiseException, match="refused"):
        rows(landed, statement.format(table=table))
    assert rows(landed, "select count(*), count(distinct person_id) from bronze.record_event") == [(3, 3)]


@BOTH
@pytest.mark.parametrize(
    ("statement", "count"),
    [
        ("update bronze.{table} set person_id = 'somebody' where line_number = 1", 1),
        ("delete from bronze.{table} where line_number = 1", 1),
        # Of a truncated table nobody knows the rows.
        ("truncate bronze.{table}", None),
    ],
)
def test_a_named_maintenance_is_noted_by_whichever_name(
    landed: Warehouse, table: str, statement: str, count: int | None
) -> None:
    """Prevents a proof of changes that never hears of one."""
    rows(landed, MAINTAINED + statement.format(table=table))
    noted = rows(landed, "select distinct table_name, row_key = '*' from ops.unproved_change order by 1")
    # Whoever truncates the whole truncates its partitions, and both say so.
    expected = {f"bronze.{table}"} | ({"bronze.raw_ticket_event"} if count is None else set())
    assert noted == [(name, count is None) for name in sorted(expected)]


def test_a_partition_without_guards_is_named(landed: Warehouse) -> None:
    """Prevents a table that is attached by hand, whose changes nobody would hear of."""
    with closing(landed.connect()) as connection, connection, connection.cursor() as cursor:
        unwatched = unwatched_table(cursor)
        assert unwatched is None or unwatched.startswith("silver.")
        cursor.execute(
            "create table bronze.by_hand (like bronze.record_event including all);"
            " alter table bronze.record_event attach partition bronze.by_hand for values in ('by_hand_v1')"
        )
        assert unwatched_table(cursor) == "bronze.by_hand"


def test_a_partition_that_went_and_came_back_has_its_guards(landed: Warehouse) -> None:
    """Prevents an exchange of tables that leaves the rows open."""
    rows(
        landed,
        "alter table bronze.record_event detach partition bronze.raw_ticket_event;"
        " alter table bronze.record_event attach partition bronze.raw_ticket_event for values in ('ticket_v1')",
    )
    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        rows(landed, "delete from bronze.raw_ticket_event")


def test_a_row_of_another_kind_does_not_fit(landed: Warehouse) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation):
        rows(landed, MAINTAINED + "update bronze.raw_ticket_event set record_kind = 'document_v1'")
