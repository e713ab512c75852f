"""What the role of dbt hangs on its tables and views runs as that role and as nobody else, whatever the loader does."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from loader.erasure import erase, plan_erasure
from loader.errors import CheckFailedError
from loader.progress import Silent
from loader.recovery import partition_states
from loader.recovery.world import looking_at
from loader.release import ReleaseRequest
from loader.release.by_hand import release
from loader.release.ready import readiness
from loader.reports.completeness import read_completeness
from loader.reports.smoke import run_smoke_checks
from loader.status import read_status
from loader.warehouse import Role, Warehouse, fetch_rows, open_warehouse
from loader.warehouse.built import are_built, built, copy_built, freeze_built
from tests.ingests import DAY, declare, evidence_faults, rows, run, settings, ticket, ticket_days, write_export
from tests.shared_warehouse import own_warehouse

# Whoever evaluates it fails, but for the role that owns it: the command that did is then seen to.
EVIL = """
create or replace function silver.evil() returns boolean language plpgsql as $$
begin
    if current_user <> 'omni_transform' then raise exception 'evil ran as %', current_user; end if;
    return true;
end $$;
create or replace function silver.evil_text(content text) returns text language plpgsql immutable as $$
begin
    if current_user <> 'omni_transform' then raise exception 'evil ran as %', current_user; end if;
    return content;
end $$;
grant usage on schema staging, silver, reconcile, serving to public;
grant select on all tables in schema staging, silver, reconcile, serving to public;
"""
# On each table a policy for those who do not own it; each view behind a function; an index and statistics of one.
HANG_ON = """
do $$
declare
    found record;
begin
    for found in
        select oid, relkind, format('%I.%I', relnamespace::regnamespace, relname) as name from pg_class
        where relkind in ('r', 'v') and relnamespace = any(
            array['staging', 'silver', 'reconcile', 'serving']::regnamespace[])
    loop
        if found.relkind = 'r' then
            execute format('alter table %s enable row level security', found.name);
            if not exists (select from pg_policy where polrelid = found.oid) then
                execute format('create policy evil on %s for select using (silver.evil())', found.name);
            end if;
        elsif pg_get_viewdef(found.oid) !~ 'evil' then
            execute format('create or replace view %s as select * from (%s) as real where silver.evil()', found.name,
                rtrim(pg_get_viewdef(found.oid), ';'));
        end if;
    end loop;
end $$;
create index if not exists evil_index on silver.ticket_fact (silver.evil_text(ticket_id));
create statistics if not exists silver.evil_statistics on silver.evil_text(status), silver.evil_text(priority)
from silver.ticket_fact;
analyze silver.ticket_fact;
"""


SERVED = {
    "schema serving",
    "serving.call_asset",
    "serving.change",
    "serving.image_asset",
    "serving.kind_partition_status",
    "serving.knowledge_doc",
    "serving.media_asset",
    "serving.ocr_text",
    "serving.ticket_comment_fact",
    "serving.ticket_fact",
    "serving.transcript_line",
    "serving.video_asset",
}


@pytest.fixture(scope="module")
def day(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A released day, on which dbt's role has hung what runs as whoever reads."""
    folder = tmp_path_factory.mktemp("foreign")
    with own_warehouse(server, _template, folder, LOADER_ALLOWED_ROOTS=str(folder)) as database:
        write_export(folder / "exports" / "a.jsonl", [ticket(number) for number in range(1, 8)])
        assert run(declare(folder / "exports"), partition=DAY).release is not None
        as_transform(database, EVIL, HANG_ON)
        yield database


@pytest.fixture
def folder(day: Warehouse) -> Path:
    return Path(os.environ["LOADER_ALLOWED_ROOTS"])


def as_transform(database: Warehouse, *statements: str) -> None:
    connection = database.acting_as(Role.TRANSFORM).connect(application_name="attacker", autocommit=True)
    with closing(connection), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_what_is_hung_on_would_run_as_a_role_that_reads(day: Warehouse) -> None:
    """The other tests of this file would prove nothing if it did not."""
    for relation in ("silver.ticket_fact", "reconcile.reconcile_partition", "serving.ticket_fact"):
        with (
            pytest.raises(psycopg2.Error, match="evil ran as omni_loader"),
            closing(day.acting_as(Role.LOADER).connect()) as connection,
        ):
            connection.cursor().execute(f"select * from {relation}")


def test_what_commands_read_is_read_as_dbts_role(day: Warehouse) -> None:
    """Prevents that a policy, a view, an index or statistics of dbt's role run as the loader."""
    warehouse = open_warehouse(settings())
    status = read_status(warehouse, DAY)
    assert len(status.partitions) == 1
    # What hangs on the views of serving is another query than the project's, and told as that.
    assert {fault.split(" is not")[0] for fault in status.view_faults} == SERVED
    assert read_completeness(warehouse, DAY).partitions[0]["silver"] == 7
    assert "is not as the project has it: its query" in readiness(settings(), [DAY]).partitions[0]["reason"]
    with looking_at(settings(), warehouse) as world:
        assert [(each.current_output_count, each.gap_reason) for each in partition_states(world, None)] == [
            (7, "no_gap_detected")
        ]
    assert [check.detail for check in run_smoke_checks(settings()) if "evil" in check.detail] == []
    assert evidence_faults(day) == []


def test_a_release_takes_values_and_evaluates_nothing(day: Warehouse) -> None:
    """Prevents the attack as it was told: a policy whose function runs as the loader writes into what readers see."""
    as_transform(day, HANG_ON, "update silver.ticket_fact set status = status where ticket_id like '%1'")
    released = release(settings(), ReleaseRequest([DAY]), Silent())
    assert ticket_days(DAY)[0] in released.current


@pytest.mark.long
def test_an_ingest_and_an_erasure_evaluate_nothing(day: Warehouse, folder: Path) -> None:
    as_transform(day, HANG_ON)
    write_export(folder / "more" / "b.jsonl", [ticket(9), ticket(8, status="resolved")])
    verdict = run(declare(folder / "more", "more"), partition=DAY)
    assert verdict.release is not None and ticket_days(DAY)[0] in verdict.release.current
    as_transform(day, HANG_ON)
    plan = plan_erasure(settings(), "customer_9", "request 1")
    erased = erase(settings(), "customer_9", plan.as_record(settings()), lambda line: None)
    assert erased.removed["raw_ticket_event"] == 1
    assert rows(day, "select count(*) from release.ticket_fact where end_release_id is null") == [(8,)]


def test_a_type_of_somebody_s_own_is_no_plain_value(day: Warehouse) -> None:
    """Prevents that a cast which its owner wrote decides what is read."""
    as_transform(day, "create type silver.evil_status as enum ('open')")
    with closing(day.connect()) as session, session, session.cursor() as cursor:
        with pytest.raises(CheckFailedError, match="not PostgreSQL's own"):
            fetch_rows(built(cursor), "select 'open'::silver.evil_status as status", None)
        assert fetch_rows(built(cursor), "select 1 as one", None) == [{"one": 1}]


def test_a_value_that_does_not_fit_is_refused_and_the_session_beside_goes_on(day: Warehouse) -> None:
    with closing(day.connect()) as session, session.cursor() as cursor:
        cursor.execute("create temporary table taken (day date)")
        session.commit()
        with pytest.raises(CheckFailedError, match="no day"):
            copy_built(cursor, "select 'no day' from generate_series(1, 100000)", {}, "pg_temp.taken", ("day",))
        session.rollback()
        with pytest.raises(psycopg2.errors.DivisionByZero):
            copy_built(cursor, "select date '2026-04-17' where 1 / 0 = 1", {}, "pg_temp.taken", ("day",))
        session.rollback()
        copy_built(cursor, "select %(day)s::date", {"day": DAY}, "pg_temp.taken", ("day",))
        cursor.execute("select day from pg_temp.taken")
        assert cursor.fetchall() == [(DAY,)]


def test_both_sessions_see_one_state(day: Warehouse) -> None:
    """Prevents that a status counts one side before, and the other after, what a build commits meanwhile."""
    as_transform(day, "create table silver.probe (n integer)", "insert into silver.probe values (1)")
    with closing(day.connect()) as session, session.cursor() as cursor:
        session.set_session(isolation_level="REPEATABLE READ", readonly=True)
        cursor.execute("select 1")
        as_transform(day, "insert into silver.probe values (2)")
        assert fetch_rows(built(cursor), "select n from silver.probe", None) == [{"n": 1}]
        session.rollback()
        assert fetch_rows(built(cursor), "select n from silver.probe order by n", None) == [{"n": 1}, {"n": 2}]
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            built(cursor).execute("delete from silver.probe")
        session.rollback()
        cursor.execute("select 1")
        assert are_built(cursor, "silver.probe") and not are_built(cursor, "silver.probe", "silver.none")
    as_transform(day, "drop table silver.probe")


def test_a_table_that_a_build_makes_anew_is_waited_for_and_never_seen_empty(day: Warehouse) -> None:
    """Prevents that a release takes a table that was swapped after its snapshot for an empty one."""
    as_transform(day, "create table silver.probe as select 1 as n")
    builder = day.acting_as(Role.TRANSFORM).connect(application_name="builder")
    for first in (lambda cursor: freeze_built(cursor, "silver.probe"), lambda cursor: None):
        with closing(day.connect()) as session, builder.cursor() as building:
            building.execute("drop table silver.probe; create table silver.probe as select 1 as n")
            commit = threading.Timer(0.5, builder.commit)
            commit.start()
            for _ in range(2):
                with session, session.cursor() as cursor:
                    first(cursor)
                    assert fetch_rows(built(cursor), "select n from silver.probe", None) == [{"n": 1}]
                    assert fetch_rows(built(cursor), "show transaction_read_only", None) == [
                        {"transaction_read_only": "on"}
                    ]
                with built(session.cursor()) as there:
                    there.execute("show transaction_isolation")
                    assert there.fetchone() == ("read committed",)
            commit.join()
    builder.close()
    as_transform(day, "drop table silver.probe")
