"""No session of ours looks for a name where somebody else may have put one, and nothing of others is taken over."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import adbc_driver_postgresql.dbapi
import psycopg2
import pytest

from loader.errors import InfrastructureError, RefusedError
from loader.silver import unwatched_table
from loader.silver.dbt import _environment
from loader.status import read_status
from loader.warehouse import Role, Warehouse, set_up
from loader.warehouse.binaries import find_binaries
from loader.warehouse.session import MEANING
from tests.checkouts import ROOT
from tests.ingests import rows
from tests.shared_warehouse import empty_database, execute

FILES = ROOT / "infra" / "postgres"
# What the loader asks most often, in a version that fits its arguments better than PostgreSQL's own, as an attacker
# would write it; and an operator, and a table of the catalogue.
SHADOWS = """
create function {schema}.has_database_privilege(name, name, text) returns boolean language plpgsql as
$$ begin raise exception 'evil ran as %', current_user; end $$;
create function {schema}.has_database_privilege(text, name, text) returns boolean language plpgsql as
$$ begin raise exception 'evil ran as %', current_user; end $$;
create function {schema}.unequal(name, text) returns boolean language plpgsql as
$$ begin raise exception 'evil ran as %', current_user; end $$;
create operator {schema}.= (leftarg = name, rightarg = text, function = {schema}.unequal);
grant usage on schema {schema} to public;
"""


def test_dbts_role_makes_no_schema(database: Warehouse) -> None:
    """Prevents the first step of the attack: a schema that has the name of another role is in that role's path."""
    for schema in ("omni_loader", "omni", "bronze_staging_x"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            rows(database.acting_as(Role.TRANSFORM), f"create schema {schema}")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            rows(database.acting_as(Role.TRANSFORM), f"create schema if not exists {schema}")


def test_no_setting_of_a_role_or_database_makes_a_session_mean_something_else(database: Warehouse) -> None:
    """Prevents a role that sets for its own sessions what makes a sound day look forged, or a check impossible."""
    bent = {
        "default_transaction_read_only": "on",
        "quote_all_identifiers": "on",
        "standard_conforming_strings": "off",
        "transform_null_equals": "on",
        "restrict_nonsystem_relation_kind": "view",
    }
    for name, value in bent.items():
        execute(database, f"alter database {database.dbname} set {name} = '{value}'")
    for role in (Role.LOADER, Role.TRANSFORM):
        shown = rows(database.acting_as(role), "select name, setting from pg_settings where name = any(%s)", list(bent))
        assert not set(shown) & set(bent.items())
    # dbt's own sessions get theirs from the profile, where these options stand in for its defaults.
    options = _environment(database)["OMNI_DBT_OPTIONS"].split("\t")
    assert {f"-c{name}={value}" for name, value in MEANING.items()} <= set(options)


def test_a_trigger_that_only_has_the_name_of_one_that_notes_changes_is_none(database: Warehouse) -> None:
    """Prevents changes that nobody notes behind triggers that are all there by name."""

    def unwatched() -> str | None:
        with closing(database.acting_as(Role.LOADER).connect()) as connection, connection.cursor() as cursor:
            return unwatched_table(cursor)

    # Silver's tables are not built yet.
    assert unwatched() == "silver.call_asset"
    rows(
        database,
        "create function public.noop() returns trigger language plpgsql as 'begin return null; end';"
        " drop trigger note_update on bronze.asset_line;"
        " create trigger note_update after update on bronze.asset_line"
        " for each statement execute function public.noop()",
    )
    assert unwatched() == "bronze.asset_line"


@pytest.mark.parametrize("role", [None, *Role])
def test_every_way_in_looks_for_names_in_the_catalogue_alone(database: Warehouse, role: Role | None) -> None:
    """psycopg2, dlt's address, and what `loader psql` and `loader env` give loader, auditor and administrator."""
    warehouse = database.acting_as(role) if role else database
    assert rows(warehouse, "show search_path") == [("pg_catalog",)]
    assert rows(warehouse, "select current_schemas(true)") == [(["pg_catalog"],)]
    with (
        closing(adbc_driver_postgresql.dbapi.connect(warehouse.dsn_url())) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute("select current_setting('search_path')")
        assert cursor.fetchone() == ("pg_catalog",)
    if role in (Role.TRANSFORM, Role.READER):
        return
    shown = subprocess.run(
        [find_binaries() / "psql", "-XAtc", "show search_path"],
        env=warehouse.libpq_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip() == "pg_catalog"


def test_roles_that_others_log_in_as_have_the_path_too(database: Warehouse) -> None:
    assert rows(
        database,
        "select rolname::text, rolconfig from pg_roles where rolname in ('omni_loader', 'omni_auditor') order by 1",
    ) == [("omni_auditor", ["search_path=pg_catalog"]), ("omni_loader", ["search_path=pg_catalog"])]


def test_our_functions_do_not_follow_the_path_of_who_calls_them(database: Warehouse) -> None:
    """Prevents that a trigger, fired by an administrator's own statement, looks for names in the administrator's
    path. SQL functions were bound when they were made."""
    assert (
        rows(
            database,
            "select oid::regprocedure::text from pg_proc where pronamespace = any(%s::regnamespace[])"
            " and prolang = (select oid from pg_language where lanname = 'plpgsql')"
            " and not coalesce('search_path=pg_catalog, pg_temp' = any(proconfig), false)",
            ["bronze", "ops", "release"],
        )
        == []
    )
    assert rows(
        database, "select count(*) from pg_proc where pronamespace = 'ops'::regnamespace and prosqlbody is not null"
    ) == [(4,)]


def test_shadows_in_a_schema_of_ones_own_name_are_not_seen(database: Warehouse) -> None:
    """Prevents the attack on a server where dbt's role could make schemas earlier: what it made then still stands."""
    for schema in ("omni_loader", database.user):
        rows(database, f"create schema {schema} authorization omni_transform")
        rows(database, f"set local role omni_transform; {SHADOWS.format(schema=schema)}")
    rows(database, f"grant create on database {database.dbname} to omni_transform")
    assert set_up(database.acting_as(Role.LOADER), FILES) is True
    assert set_up(database.acting_as(Role.LOADER), FILES) is False
    assert read_status(database.acting_as(Role.LOADER), None).partitions == []
    # An administrator's own psql has the path that it has: the file does not follow it.
    own_path = {**database.libpq_environment(), "PGOPTIONS": ""}
    command = [find_binaries() / "psql", "-X", "-v", "ON_ERROR_STOP=1", "-f", FILES / "roles.sql"]
    subprocess.run(command, env=own_path, check=True, capture_output=True)


@pytest.fixture
def bare(server: Warehouse, database: Warehouse) -> Iterator[Warehouse]:
    """An empty database, as its superuser. (`database`: roles are there.)"""
    with empty_database(server, f"{database.dbname}_bare") as bare:
        yield bare


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("create schema ops authorization omni_reader", r"schema ops \(of omni_reader\)"),
        ("create schema silver authorization omni_loader", r"schema silver \(of omni_loader\)"),
        (
            """
            create schema ops; grant all on schema ops to omni_reader; set local role omni_reader;
            create function ops.digest64(varchar) returns numeric security definer return 1
            """,
            r"function ops.digest64\(character varying\) \(of omni_reader\)",
        ),
        (
            """
            create schema serving; grant all on schema serving to omni_reader; set local role omni_reader;
            create view serving.ticket_fact as select 1 as one; create domain serving.day as date
            """,
            r"type serving.day \(of omni_reader\), view serving.ticket_fact \(of omni_reader\)",
        ),
    ],
)
def test_what_somebody_else_made_is_named_and_nothing_is_done(bare: Warehouse, statement: str, named: str) -> None:
    """Prevents that a function becomes the loader's, with the loader's rights, since it lies where the loader's are."""
    rows(bare, statement)
    before = rows(bare, "select oid, relowner from pg_class union all select oid, proowner from pg_proc order by 1")
    with pytest.raises(RefusedError, match=f"{named}.*Nothing was created or changed"):
        set_up(bare.acting_as(Role.LOADER), FILES)
    after = rows(bare, "select oid, relowner from pg_class union all select oid, proowner from pg_proc order by 1")
    assert before == after


def test_a_schema_is_not_the_loaders_since_it_is_named_so(bare: Warehouse) -> None:
    """Prevents the attack as it was told: a SECURITY DEFINER function in `bronze_staging_x` was given to the loader."""
    rows(
        bare,
        "create schema bronze_staging_x authorization omni_reader; set local role omni_reader;"
        " create function bronze_staging_x.evil() returns text security definer return current_user::text",
    )
    assert set_up(bare.acting_as(Role.LOADER), FILES) is True
    assert rows(bare, "select proowner::regrole::text from pg_proc where proname = 'evil'") == [("omni_reader",)]
    from loader.runs import IngestLock, repair

    with closing(IngestLock.acquire(bare.acting_as(Role.LOADER))) as lock:
        assert repair(lock, ROOT / "no such folder").staging_schemas == ()
    assert rows(bare, "select bronze_staging_x.evil()") == [("omni_reader",)]


def test_a_server_that_was_set_up_earlier_is_told_the_command_until_it_was_run(
    database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents that a login which may not take the right away works on without a word; the command is what mends it."""
    login = f"{database.dbname}_login"
    secret = "".join(("not", "-a-", "secret"))
    rows(database, f"create role {login} login password %s", secret)
    rows(database, f"grant omni_loader, omni_transform to {login}")
    monkeypatch.setenv("PGPASSWORD", secret)
    mine = replace(database, user=login, passfile=None).acting_as(Role.LOADER)
    try:
        assert set_up(mine, FILES) is False
        rows(database, f"grant create on database {database.dbname} to omni_transform; drop schema serving cascade")
        for _ in range(2):
            with pytest.raises(
                InfrastructureError, match="omni_transform may create schemas; schema serving is missing"
            ) as told:
                set_up(mine, FILES)
        command = told.value.next_command.split("#")[0].split()
        assert command == ["psql", "-d", database.dbname, "-f", "infra/postgres/roles.sql"]
        monkeypatch.delenv("PGPASSWORD")
        subprocess.run(
            [find_binaries() / command[0], *command[1:], "-v", "ON_ERROR_STOP=1"],
            env=database.libpq_environment(),
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        monkeypatch.setenv("PGPASSWORD", secret)
        assert set_up(mine, FILES) is False
    finally:
        monkeypatch.delenv("PGPASSWORD", raising=False)
        rows(database, f"drop role {login}")
