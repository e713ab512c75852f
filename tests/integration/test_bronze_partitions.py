"""Events of a kind lie in a partition. A statement fires the triggers of the table that it names and of no other: each
guard stands on both, and whatever is done to a partition as a whole is seen."""

from __future__ import annotations

import shlex
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from loader.config import load_settings
from loader.kinds import load_kinds
from loader.silver.proof import unwatched_table
from loader.warehouse import PartitionAwayError, Warehouse, answering_warehouse, open_warehouse
from loader.warehouse.partitions import declared_partitions
from tests.advice.following import in_this_process
from tests.checkouts import ROOT
from tests.e2e.commands import LOADER
from tests.ingests import rows, ticket
from tests.integration.bronze_fixtures import new_asset, writer

BOTH = pytest.mark.parametrize("table", ["record_event", "raw_ticket_event"])
DETACH = "alter table bronze.record_event detach partition bronze.raw_ticket_event"
ATTACH = "alter table bronze.record_event attach partition bronze.{} for values in ('ticket_v1')"
NEW = "create table bronze.raw_ticket_event partition of bronze.record_event for values in ('ticket_v1')"
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
        # Nobody knows the rows of a truncated table.
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
    partitions = {
        f"bronze.{kind.landing.bronze}" for kind in load_kinds(ROOT / "contracts").values() if kind.landing is not None
    }
    expected = {f"bronze.{table}"} | (partitions if count is None and table == "record_event" else set())
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


def test_what_bronze_must_have_is_what_kinds_declare() -> None:
    """Prevents a generated file whose tables nobody looks for."""
    kinds = load_kinds(ROOT / "contracts").values()
    landed = {kind.landing.bronze: kind.name for kind in kinds if kind.landing is not None}
    assert declared_partitions(ROOT / "infra" / "postgres") == landed != {}


@pytest.mark.parametrize(
    ("acts", "told", "event_count"),
    [
        ([DETACH], "it is detached", 3),
        ([DETACH, "alter table bronze.raw_ticket_event rename to was"], "bronze.was holds what it held", 3),
        (
            [DETACH, """alter table bronze.raw_ticket_event rename to "it's $HOME";"""],
            """bronze."it's \\$HOME" holds what it held""",
            3,
        ),
        (["alter table bronze.raw_ticket_event rename to was"], "that is bronze.was", 3),
        (
            [DETACH, "create table bronze.other (like bronze.record_event including all)", ATTACH.format("other")],
            "it is detached",
            3,
        ),
        (
            [DETACH, "alter table bronze.raw_ticket_event rename to was", NEW],
            "it is empty, and bronze.was holds events of ticket_v1",
            3,
        ),
        (["drop table bronze.raw_ticket_event"], "it is not there", 0),
    ],
    ids=["detached", "detached-and-renamed", "an-odd-name", "renamed", "another-attached", "emptied", "dropped"],
)
@pytest.mark.usefixtures("loader_environment")
def test_a_table_that_was_taken_away_is_put_back_by_what_is_told(
    landed: Warehouse, acts: list[str], told: str, event_count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents an ingest that lands beside Bronze, a proof that blames the rows, and a psql that is refused as well."""
    rows(landed, "set role omni_loader; " + "; ".join(acts))
    with pytest.raises(PartitionAwayError, match=told) as away:
        open_warehouse(load_settings())
    with pytest.raises(PartitionAwayError, match=told):
        answering_warehouse(load_settings())
    command = shlex.split(away.value.next_command, comments=True)
    assert command[:2] == ["loader", "psql"]
    monkeypatch.setenv("LOADER_PROJECT_ROOT", str(ROOT))
    done = subprocess.run([*LOADER, *command[1:]], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done

    open_warehouse(load_settings())
    found = "select count(*), min(tableoid::regclass::text) from bronze.record_event"
    assert rows(landed, found) == [(event_count, "bronze.raw_ticket_event" if event_count else None)]
    assert rows(landed, "select count(*) from bronze.raw_ticket_event") == [(event_count,)]
    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        rows(landed, "delete from bronze.raw_ticket_event")


@pytest.mark.usefixtures("loader_environment")
def test_a_kind_that_is_not_declared_is_named_as_long_as_it_has_records(landed: Warehouse) -> None:
    """Prevents a declaration that goes while its records stay: no check, no erasure and no reader would see them."""
    rows(
        landed,
        "set role omni_loader;"
        " create table bronze.raw_permit partition of bronze.record_event for values in ('permit_v1')",
    )
    open_warehouse(load_settings())
    rows(
        landed,
        "set session_replication_role = replica; insert into bronze.record_event"
        " select 'permit_v1', event_id, record_fingerprint, record_source, record_key, person_id, created_at,"
        " updated_at, partition_key, raw_payload, envelope, warning_codes, asset_id, line_number, run_id, _dlt_load_id"
        " from bronze.raw_ticket_event limit 1",
    )
    with pytest.raises(PartitionAwayError, match=r"bronze\.raw_permit: it holds records of permit_v1") as undeclared:
        open_warehouse(load_settings())
    assert undeclared.value.next_command.startswith("git log --oneline -- contracts/kinds/permit_v1")


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "diagnose",
        "ready --partition 2026-04-17",
        "build --select ticket_fact",
        "verify --evidence",
        "ingest --partition 2026-04-17",
        "dry-run --partition 2026-04-17",
        "hold --partition 2026-04-17 --reason why",
        "erase --customer c --reason why",
        "smoke",
    ],
)
@pytest.mark.usefixtures("loader_environment")
def test_every_command_says_the_same_of_it(words: str, database: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents a search for the erased, or an answer about the days, over a Bronze without its events."""
    monkeypatch.setenv("LOADER_PROJECT_ROOT", str(ROOT))
    rows(database, DETACH)
    done = in_this_process(f"loader {words}", words.split(), ROOT)
    assert (done.code, DETACH.replace("detach", "attach") in str(done.next_line)) == (
        3 if words == "smoke" else 4,
        True,
    )


@pytest.mark.usefixtures("loader_environment")
def test_a_table_of_a_superuser_s_is_given_to_its_owner_and_guarded(landed: Warehouse) -> None:
    """Prevents a load that the server refuses, into a table that only looks like the kind's."""
    rows(landed, f"drop table bronze.raw_ticket_event; {NEW}")
    open_warehouse(load_settings())
    owner = "select relowner::regrole::text from pg_class where oid = 'bronze.raw_ticket_event'::regclass"
    assert rows(landed, owner) == [("omni_loader",)]
    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        rows(landed, "delete from bronze.raw_ticket_event")
