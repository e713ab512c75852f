"""What each role may do, tried as that role: what it needs works, all else is refused by the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from loader.warehouse import Role, Warehouse
from loader.warehouse.released import released_kinds
from tests.ingests import DAY, declare, run, ticket, write_export
from tests.shared_warehouse import own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

NOT_ALLOWED = psycopg2.errors.InsufficientPrivilege
# A view that joins takes no change from anybody.
IS_A_VIEW = (psycopg2.errors.ObjectNotInPrerequisiteState, psycopg2.errors.WrongObjectType)
# dlt's own, a key, and locks.
LOCKS = ("ops.ingest_lock", "ops.build_lock", "ops.catalog_lock", "ops.function_lock")
INNER = ("bronze._dlt_pipeline_state", "bronze._dlt_version", "ops.erasure_key", *LOCKS)
LAYERS = {
    Role.LOADER: ("bronze", "ops", "release"),
    Role.TRANSFORM: ("staging", "silver", "reconcile", "serving"),
}


@pytest.fixture(scope="module")
def day(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A released day with a reject in it; as its superuser."""
    folder = tmp_path_factory.mktemp("access")
    with own_warehouse(
        server, _template, folder, LOADER_REJECT_LIMIT="0.5", LOADER_ALLOWED_ROOTS=str(folder)
    ) as database:
        write_export(folder / "exports" / "a.jsonl", [ticket(1), ticket(2, description="secret words"), b"{broken"])
        verdict = run(declare(folder / "exports"), partition=DAY)
        assert verdict.release is not None and verdict.release.current
        yield database


def attempt(day: Warehouse, role: Role, statement: str) -> list[tuple[object, ...]]:
    """Run a statement as a role and undo it."""
    with closing(day.acting_as(role).connect(application_name="access")) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        found = list(cursor.fetchall()) if cursor.description else []
        connection.rollback()
        return found


def relations(day: Warehouse, *schemas: str) -> list[str]:
    found = attempt(
        day,
        Role.AUDITOR,
        "select format('%I.%I', nspname, relname) from pg_class join pg_namespace on pg_namespace.oid = relnamespace"
        f" where relkind in ('r', 'v') and nspname = any('{{{','.join(schemas)}}}') order by 1",
    )
    return [str(name) for (name,) in found]


@pytest.mark.parametrize("role", list(LAYERS))
def test_each_layer_belongs_to_who_writes_it_and_to_nobody_else(day: Warehouse, role: Role) -> None:
    """Not to the login that set it up: what the pipeline can't do by mistake, it can't be made to do either."""
    owners = attempt(
        day,
        role,
        "select nspname, nspowner::regrole::text, array_agg(distinct relowner::regrole::text)"
        " from pg_namespace join pg_class on pg_namespace.oid = relnamespace and relkind in ('r', 'v', 'S')"
        f" where nspname = any('{{{','.join(LAYERS[role])}}}') group by 1, 2 order by 1",
    )
    assert owners == [(layer, role.value, [role.value]) for layer in sorted(LAYERS[role])]


@pytest.mark.parametrize("layer", ["bronze", "ops", "release"])
def test_dbt_reads_what_the_loader_writes_and_changes_none_of_it(day: Warehouse, layer: str) -> None:
    for relation in relations(day, layer):
        if relation not in INNER:
            attempt(day, Role.TRANSFORM, f"select * from {relation} limit 1")
        for statement in (f"delete from {relation} where false", f"truncate {relation}", f"drop table {relation}"):
            with pytest.raises((NOT_ALLOWED, *IS_A_VIEW)):
                attempt(day, Role.TRANSFORM, statement)
    with pytest.raises(NOT_ALLOWED):
        attempt(day, Role.TRANSFORM, f"create table {layer}.own (x integer)")


def test_dbt_may_add_a_note_of_a_change_and_take_none_away(day: Warehouse) -> None:
    attempt(day, Role.TRANSFORM, "insert into ops.unproved_change (table_name, row_key) values ('silver.x', 'y')")
    for statement in (
        "delete from ops.unproved_change",
        "update ops.unproved_change set row_key = ''",
        "insert into ops.unproved_change (table_name, row_key, changed_in) values ('silver.x', 'y', '3')",
        "alter table bronze.raw_ticket_event disable trigger all",
        "create or replace function ops.note_change() returns trigger language plpgsql as 'begin return null; end'",
    ):
        with pytest.raises(NOT_ALLOWED):
            attempt(day, Role.TRANSFORM, statement)


@pytest.mark.parametrize("role", [Role.LOADER, Role.AUDITOR])
def test_neither_loader_nor_auditor_has_a_right_in_what_dbt_builds(day: Warehouse, role: Role) -> None:
    """Prevents that a statement reaches a relation of dbt's by another way than as dbt's own role: to read it is to run
    what its owner hung on it."""
    for relation in relations(day, *LAYERS[Role.TRANSFORM]):
        for statement in (f"select * from {relation}", f"insert into {relation} default values"):
            with pytest.raises(NOT_ALLOWED, match="permission denied for schema"):
                attempt(day, role, statement)


def test_bronze_stays_append_only_for_its_own_loader(day: Warehouse) -> None:
    for statement in ("update bronze.raw_ticket_event set record_key = ''", "delete from bronze.raw_ticket_event"):
        with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
            attempt(day, Role.LOADER, statement)


def test_a_reader_sees_serving_and_nothing_else(day: Warehouse) -> None:
    assert attempt(day, Role.READER, "select count(*) from serving.ticket_fact") == [(2,)]
    assert attempt(day, Role.READER, "select count(*) from serving.customer_dim") == [(2,)]
    assert attempt(day, Role.READER, "select is_ready from serving.partition_status") == [(True,)]
    for relation in relations(day, "bronze", "ops", "release", "staging", "silver", "reconcile"):
        with pytest.raises(NOT_ALLOWED):
            attempt(day, Role.READER, f"select 1 from {relation}")
    for relation in relations(day, "serving"):
        for statement in (
            f"delete from {relation}",
            f"create or replace view {relation} as select 1",
            f"drop view {relation}",
        ):
            with pytest.raises((NOT_ALLOWED, *IS_A_VIEW)):
                attempt(day, Role.READER, statement)


def test_no_condition_of_a_reader_is_shown_a_row_that_its_view_hides(day: Warehouse) -> None:
    """Prevents that a filter, run before the view's own, tells what was replaced, taken back or never released."""
    with closing(day.connect(application_name="access")) as connection, connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute("update release.ticket_fact set first_release_id = 2 where ticket_id like '%-000002'")
        cursor.execute("set local role omni_reader")
        cursor.execute(
            "create function pg_temp.told(text) returns boolean language plpgsql cost 0.000001"
            " as $$ begin raise notice 'told %', $1; return true; end $$"
        )
        for view in ("ticket_fact", "customer_dim"):
            cursor.execute(f"select count(*) from serving.{view} where pg_temp.told(customer_id)")
            assert cursor.fetchall() == [(1,)]
        # What needs no function of one's own: the server's messages quote a value that does not fit.
        cursor.execute("select count(*) from serving.ticket_fact where ticket_id like '%1' or ticket_id::int > 0")
        connection.rollback()
        assert not [notice for notice in connection.notices if "customer_2" in notice], connection.notices


def test_an_auditor_reads_decisions_and_evidence_and_no_payload(day: Warehouse) -> None:
    assert attempt(day, Role.AUDITOR, "select count(*) > 0 from ops.run_evidence") == [(True,)]
    assert attempt(day, Role.AUDITOR, "select unexplained_count from ops.recorded_partition") == [(0,)]
    assert attempt(day, Role.AUDITOR, "select count(*) from release.data_release") == [(1,)]
    with closing(day.connect()) as session, session.cursor() as cursor:
        released = [kind.rows for kind in released_kinds(cursor)]
    for relation in relations(day, "ops", "release"):
        if relation in (*released, *INNER):
            continue
        for (row,) in attempt(day, Role.AUDITOR, f"select r::text from {relation} as r"):
            assert "secret words" not in str(row) and "{broken" not in str(row), relation
            assert "customer_2" not in str(row), relation
    for relation in [*released, *relations(day, "bronze")]:
        with pytest.raises(NOT_ALLOWED):
            attempt(day, Role.AUDITOR, f"select 1 from {relation}")
    for relation in relations(day, "ops", "release"):
        with pytest.raises((NOT_ALLOWED, *IS_A_VIEW)):
            attempt(day, Role.AUDITOR, f"delete from {relation}")


@pytest.mark.parametrize("role", list(Role))
def test_no_role_is_more_than_it_seems(day: Warehouse, role: Role) -> None:
    """No role may become another, make roles or databases, read files, or run programs on the server."""
    assert attempt(
        day,
        role,
        "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication from pg_roles"
        " where rolname = current_user",
    ) == [(False,) * 5]
    kept = {"pg_use_reserved_connections"} if role in (Role.LOADER, Role.TRANSFORM) else set()
    member = attempt(day, role, f"select rolname from pg_roles where pg_has_role('{role}', oid, 'member')")
    assert {name for (name,) in member} - kept == {role.value}
    for statement in ("copy (select 1) to program 'true'", "select pg_read_file('PG_VERSION')", "create role x"):
        with pytest.raises(NOT_ALLOWED):
            attempt(day, role, statement)


def test_rights_are_given_back_to_a_copy_of_the_database(server: Warehouse, day: Warehouse, tmp_path: Path) -> None:
    """A restored dump has the tables, and none of the rights on the database: the next command sees to it."""
    from loader.warehouse import set_up
    from tests.checkouts import ROOT
    from tests.shared_warehouse import execute

    name = f"{day.dbname}_copy"
    execute(server, f"create database {name} template {day.dbname}")
    try:
        copy = server.in_database(name).acting_as(Role.LOADER)
        with pytest.raises(NOT_ALLOWED):
            attempt(copy.as_administrator(), Role.LOADER, "create schema own")
        assert set_up(copy, ROOT / "infra" / "postgres") is True
        attempt(copy.as_administrator(), Role.LOADER, "create schema own")
        assert set_up(copy, ROOT / "infra" / "postgres") is False
    finally:
        execute(server, f"drop database {name} with (force)")


def test_what_one_owner_had_made_goes_to_the_owners_of_now(server: Warehouse, day: Warehouse) -> None:
    """A warehouse of an earlier version belongs to its login; nothing in it is lost, dbt's layers included."""
    from loader.warehouse import set_up
    from tests.checkouts import ROOT
    from tests.shared_warehouse import execute

    name = f"{day.dbname}_old"
    execute(server, f"create database {name} template {day.dbname}")
    try:
        old = server.in_database(name)
        execute(
            old,
            "reassign owned by omni_loader, omni_transform to omni",
            "revoke all on all tables in schema ops, bronze, release from omni_loader",
            "revoke all on schema ops from omni_loader",
        )
        assert set_up(old.acting_as(Role.LOADER), ROOT / "infra" / "postgres") is True
        for role in LAYERS:
            test_each_layer_belongs_to_who_writes_it_and_to_nobody_else(old, role)
        assert attempt(old, Role.LOADER, "select count(*) from bronze.raw_ticket_event") == [(2,)]
    finally:
        execute(server, f"drop database {name} with (force)")


def test_where_each_role_logs_in_by_itself_the_loader_keeps_its_own_tables_up_to_date(
    server: Warehouse, day: Warehouse
) -> None:
    """Without PGUSER there is no login above the roles: an upgrade of the loader must not ask for one."""
    from dataclasses import replace

    from loader.warehouse import set_up
    from loader.warehouse.roles import verifiers
    from tests.checkouts import ROOT

    own = replace(day, user=Role.LOADER.value).acting_as(Role.LOADER)
    if own.passfile is None or "omni_loader" not in own.passfile.read_text():
        pytest.skip("the given server has no password of omni_loader")
    assert own.role is None
    with closing(day.connect()) as connection, connection, connection.cursor() as cursor:
        for role, verifier in verifiers(connection, day).items():
            cursor.execute(f"alter role {role.value} password %s", (verifier,))
    assert set_up(own, ROOT / "infra" / "postgres") is False
    with closing(own.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("select session_user::text, count(*) from bronze.raw_ticket_event group by 1")
        assert cursor.fetchall() == [("omni_loader", 2)]
        cursor.execute("update ops.schema_version set definition_sha256 = repeat('0', 64)")
    assert set_up(own, ROOT / "infra" / "postgres") is True
    assert set_up(own, ROOT / "infra" / "postgres") is False
