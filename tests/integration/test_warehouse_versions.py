"""Versions of the loader's tables: an older database becomes what a new one is, with everything that people decided; a
newer one, and one that nobody knows, is left alone by every command."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest
from psycopg2 import sql

from loader.cli import main
from loader.config import load_settings
from loader.contract.schema import load_schema, schema_faults
from loader.errors import InfrastructureError, RefusedError
from loader.partition import Partition
from loader.release import Act, digests, history, holds, releases
from loader.release.groups import restore_targets
from loader.reports.smoke import run_smoke_checks
from loader.silver.results import BuildResult
from loader.warehouse import Role, Warehouse, answering_warehouse, ddl, set_up, versions
from loader.warehouse.released import released_kinds
from tests.checkouts import ROOT
from tests.ingests import rows
from tests.integration.applied import applied_at_once
from tests.integration.warehouse_catalogue import catalogue
from tests.shared_warehouse import empty_database, execute

FILES = ROOT / "infra" / "postgres"
SHAPES = ROOT / "tests" / "integration" / "older_warehouses"
# What tables and columns of the older shapes are called now.
RENAMED = {
    "release.accepted_drift": "release.acceptance",
    "release.pending_ticket": "release.pending_record",
    "release.ticket_row": "release.ticket_fact",
    "subject": "measure",
    "ticket_count": "record_count",
    "ticket_digest": "record_digest",
}
# What says no more than another column does.
GONE = {"is_assessed"}


@pytest.fixture
def old(server: Warehouse, database: Warehouse) -> Iterator[Warehouse]:
    """A database without anything of ours; its server has the roles."""
    with empty_database(server, f"omni_old_{os.getpid()}") as old:
        yield old


def make_older(old: Warehouse, shape: str) -> None:
    execute(old, (FILES / "roles.sql").read_text())
    # Then, omni_transform made its schemas itself.
    execute(old, "drop schema staging, silver, reconcile, serving")
    execute(old, f"grant create on database {old.dbname} to omni_transform")
    with closing(old.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("set role omni_loader")
        definition, rows = (SHAPES / f"{shape}.sql").read_text().split("-- Rows.\n")
        cursor.execute(definition)
        # Bronze's guards ask for a run at work.
        cursor.execute("reset role; set session_replication_role = replica")
        cursor.execute(rows)


def rows_of(warehouse: Warehouse, schemas: tuple[str, ...] = ("ops", "bronze", "release")) -> dict[str, list[Any]]:
    """Every row of every table, as JSON, by table."""
    with closing(warehouse.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "select schemaname, tablename from pg_tables where schemaname = any(%s) order by 1, 2", (list(schemas),)
        )
        found = {}
        for schema, table in cursor.fetchall():
            cursor.execute(sql.SQL("select to_jsonb(t) from {} as t").format(sql.Identifier(schema, table)))
            found[f"{schema}.{table}"] = [row for (row,) in cursor.fetchall()]
    return found


def set_version(warehouse: Warehouse, version: int) -> None:
    execute(warehouse, f"update ops.schema_version set version = {version}, loader_version = '9.9'")


@pytest.mark.parametrize("shape", sorted(file.stem for file in SHAPES.glob("*.sql")))
def test_an_older_warehouse_becomes_what_a_new_one_is_and_keeps_every_row(
    old: Warehouse, database: Warehouse, shape: str
) -> None:
    """Prevents a column, index, trigger or grant that only new warehouses have, and an upgrade that forgets an erasure,
    a hold, an acceptance or a release. Whoever changes a definition file alone sees it here."""
    make_older(old, shape)
    before = rows_of(old)
    assert set_up(old.acting_as(Role.LOADER), FILES) is True
    assert catalogue(old) == catalogue(database)
    after = rows_of(old)
    before.pop("ops.schema_version")
    for table, kept in before.items():
        now = after[RENAMED.get(table, table)]
        assert len(now) == len(kept), table
        for was, row in zip(kept, now, strict=True):
            kept_values = {RENAMED.get(name, name): value for name, value in was.items() if name not in GONE}
            if table == "release.pending_ticket":
                kept_values = {"record_key": was["ticket_id"]}
            if "open_partitions" in was:
                days = was["open_partitions"]
                kept_values["open_partitions"] = [{"record_kind": "ticket_v1", "partition_key": day} for day in days]
            if was.get("obstacles"):
                # In words, by an older gate: the day waits until today's has looked.
                kept_values |= {"obstacles": [], "is_pending": True}
            assert kept_values.items() <= row.items(), table
            # Everything that was released, held or accepted was tickets.
            assert row.get("record_kind", "ticket_v1") == "ticket_v1", table
    assert [(row["version"], row["definition_sha256"]) for row in after["ops.schema_version"]] == [
        (versions.read_definition(FILES).version, versions.read_definition(FILES).sha256)
    ]
    assert set_up(old.acting_as(Role.LOADER), FILES) is False


def test_an_upgrade_says_what_makes_the_views_of_its_version(old: Warehouse, server: Warehouse) -> None:
    """Prevents days that are told as not ready after an upgrade, by a view that nobody says is yet to be made."""
    make_older(old, "346ba9e")
    said: list[str] = []
    set_up(old.acting_as(Role.LOADER), FILES, said.append)
    assert said[-1].startswith("the tables were of an older version. Readers see what they saw")
    assert "`make build SELECT=serving`" in said[-1]
    # Neither a warehouse that is of this version, nor a new one.
    silent: list[str] = []
    set_up(old.acting_as(Role.LOADER), FILES, silent.append)
    with empty_database(server, f"omni_new_{os.getpid()}") as new:
        set_up(new.acting_as(Role.LOADER), FILES, silent.append)
    assert silent == []


def test_what_an_older_dbt_project_made_goes_and_what_has_todays_columns_stays(old: Warehouse) -> None:
    """Prevents `column drift.measure does not exist`: status reads reconcile before any build."""
    make_older(old, "8101910")
    execute(old, "alter table silver.built_load add record_kind text")
    set_up(old.acting_as(Role.LOADER), FILES)
    assert rows_of(old, ("reconcile", "silver")) == {"silver.built_load": []}


def test_a_change_of_the_definition_has_a_number() -> None:
    """Prevents a column, or a function, that reaches new databases only: older ones learn of it by a migration (one
    without a statement, where the definition files say it all)."""
    definition = versions.read_definition(FILES)
    said = definition.migrations[definition.version].read_text().splitlines()[0]
    assert said == f"-- definition {definition.numbered_sha256}", (
        "the definition files differ from those of the last migration: give the change a migration of its own, or if "
        f"no warehouse has that number yet, begin its file with\n-- definition {definition.numbered_sha256}"
    )


def test_a_newer_warehouse_is_refused_by_every_command_and_stays_as_it_is(
    database: Warehouse, loader_environment: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    """Prevents an older checkout that puts its functions and rows into tables of a later version."""
    set_version(database, 42)
    before = catalogue(database), rows_of(database)
    for words in ("status", "ingest", "build", "ready --partition 2026-04-17", "verify --evidence", "diagnose", "up"):
        with pytest.raises(SystemExit) as end:
            main(words.split())
        said = "".join(capfd.readouterr())
        assert (end.value.code, "version 42" in said) == (4, True), (words, said)
    assert (catalogue(database), rows_of(database)) == before


def test_a_dry_run_does_not_read_a_newer_warehouse(database: Warehouse, loader_environment: dict[str, str]) -> None:
    set_version(database, 42)
    with pytest.raises(RefusedError, match="version 42"):
        answering_warehouse(load_settings())


def test_smoke_tells_the_version_of_the_code_and_of_the_warehouse(
    database: Warehouse, loader_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents "sound" for a warehouse that the code cannot use."""
    monkeypatch.setattr("loader.reports.smoke.run_dbt", lambda *_: BuildResult("", ()))
    version = versions.read_definition(FILES).version

    def said() -> str:
        return next(check.detail for check in run_smoke_checks(load_settings()) if check.name == "warehouse")

    assert said().endswith(f", tables of version {version}, as this checkout ({version})")
    set_version(database, 42)
    assert f"have version 42 (written by loader 9.9), this checkout knows versions up to {version}" in said()


def test_a_warehouse_of_unknown_shape_is_refused_with_a_way_that_leaves_it_alone(old: Warehouse) -> None:
    """Prevents statements for a known shape that are run on another one."""
    make_older(old, "8101910")
    execute(old, "update ops.schema_version set content_sha256 = repeat('0', 64)")
    before = catalogue(old)
    with pytest.raises(RefusedError, match=r"definition 000000000000, which has no number.*Nothing was read") as error:
        set_up(old.acting_as(Role.LOADER), FILES)
    assert error.value.exit_code == 4
    assert error.value.next_command == f"PGDATABASE={old.dbname}_new LOADER_REPORT_DIR=reports_new make ingest"
    assert catalogue(old) == before


def test_a_migration_that_fails_leaves_the_older_warehouse(old: Warehouse, tmp_path: Path) -> None:
    """Prevents half an upgrade: everything before the failing statement is rolled back."""
    make_older(old, "8101910")
    before = catalogue(old), rows_of(old)
    project = tmp_path / "infra" / "postgres"
    shutil.copytree(FILES, project)
    (project / "99_bad.sql").write_text("create tabel ops.bad (id integer);")
    with pytest.raises(InfrastructureError, match=r"syntax error.*no table was created or changed"):
        set_up(old.acting_as(Role.LOADER), project)
    assert (catalogue(old), rows_of(old)) == before


def test_two_processes_at_once_migrate_once(old: Warehouse) -> None:
    """Prevents a second run of statements that bear one only (a rename)."""
    make_older(old, "8101910")
    ended = applied_at_once(3, old.acting_as(Role.LOADER), FILES)
    assert sorted(ended, key=str) == [False, False, True]


def test_tables_are_not_changed_under_a_loader_of_the_older_version(old: Warehouse) -> None:
    """Prevents an upgrade in the middle of an older loader's ingest."""
    make_older(old, "8101910")
    before = catalogue(old), rows_of(old, ("ops", "reconcile"))
    with closing(old.connect()) as writer, writer.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s, %s)", ddl.OLD_WRITER)
        with pytest.raises(RefusedError, match=rf"writing it \(database session {writer.get_backend_pid()}\)"):
            set_up(old.acting_as(Role.LOADER), FILES)
    assert (catalogue(old), rows_of(old, ("ops", "reconcile"))) == before
    assert set_up(old.acting_as(Role.LOADER), FILES) is True


def test_a_reader_who_keeps_a_table_is_named_and_nothing_is_changed(
    old: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents an update that waits without a word, with every other reader queued behind it."""
    make_older(old, "8101910")
    before = catalogue(old)
    monkeypatch.setattr(ddl, "LOCK_TIMEOUT_SECONDS", 0.1)
    with closing(old.connect()) as reader, reader.cursor() as cursor:
        cursor.execute("select from release.accepted_drift")
        with pytest.raises(InfrastructureError, match=rf"session {reader.get_backend_pid()} \(\w+\) has kept a table"):
            set_up(old.acting_as(Role.LOADER), FILES)
        reader.rollback()
    assert catalogue(old) == before


def test_what_was_released_before_there_were_kinds_can_be_shown_restored_and_proved(old: Warehouse) -> None:
    """Prevents released rows whose digest is another after a migration: every restore to them would be refused."""
    make_older(old, "346ba9e")
    set_up(old.acting_as(Role.LOADER), FILES)
    one, two, three = (Partition("ticket_v1", date(2026, 4, day)) for day in (15, 16, 17))
    with closing(old.acting_as(Role.LOADER).connect()) as session, session.cursor() as cursor:
        assert releases.pointers(cursor) == {two: 1, three: 1}
        assert history.versions(cursor) == {one: [1], two: [1, 2], three: [1, 2]}
        assert history.expired(cursor) == {(one, 1): 1}
        assert releases.all_links(cursor) == [(2, three, two)]
        assert digests.unlike(cursor, is_content_read=True) == []
        assert not any(digests.edited_rows(cursor, kind) for kind in released_kinds(cursor))
        assert digests.shown(cursor, [two, three]) == {two: (0, 0), three: (1, -4737157116651117819)}
        assert holds.lock_holds(cursor) == {three}
        targets = restore_targets(history.versions(cursor), {two: 2, three: 2}, releases.all_links(cursor), {two: 1})
        assert targets == {two: 1, three: 1}
        releases.move_pointers(
            cursor, releases.add_release(cursor, Act("restore", "ana", "c" * 32, reason="why")), {two: 2, three: 2}
        )
        assert digests.shown(cursor, [two, three]) == {two: (1, 7049556472934483942), three: (0, 0)}


def test_what_is_told_to_followers_begins_with_what_readers_see(old: Warehouse) -> None:
    """Prevents a consumer that begins at 0 and never learns of what was shown before there was a feed; and one that is
    told of it twice, when the definition is applied again."""
    make_older(old, "346ba9e")
    set_up(old.acting_as(Role.LOADER), FILES)
    told = (
        "select change_number, record_kind, record_key, operation, data_release_id, row_digest::bigint"
        " from release.change order by 1"
    )
    shown = [(1, "ticket_v1", "TKT-20260417-000001", "insert", 3, -4737157116651117819)]
    assert rows(old, told) == shown
    with closing(old.acting_as(Role.LOADER).connect()) as connection:
        assert ddl.ensure_schema(connection, FILES, is_again=True) is True
    assert rows(old, told) == shown


def test_numbers_of_migrations_have_no_gap(tmp_path: Path) -> None:
    """Prevents a migration that is skipped because its number was taken twice, or none."""
    folder = Path(shutil.copytree(FILES, tmp_path / "sql"))
    (folder / "migrations" / "0099_later.sql").write_text("select 1;")
    with pytest.raises(InfrastructureError, match=r"expected \d{4}_<words>.sql; no table was created"):
        versions.read_definition(folder)


def test_events_of_before_there_were_kinds_are_proved_and_become_tickets_of_today(old: Warehouse) -> None:
    """Prevents events that a migration loses, changes or blesses: what the old digest does not prove keeps it, and the
    chain of evidence says of each load what was proved and what is recorded now."""
    make_older(old, "5c1e743")
    execute(
        old,
        """
        set session_replication_role = replica;
        insert into bronze.raw_ticket_event (
            event_id, record_fingerprint, source_id, ticket_id, customer_id, created_at, updated_at, resolved_at,
            partition_key, raw_payload, ingest_batch_id, warning_codes, asset_id, line_number, run_id, _dlt_load_id)
        select
            ('00000000-0000-0000-0000-00000000000' || n)::uuid, sha256(n::text::bytea), 'desk', 'TKT-' || n,
            'CUST-' || n,
            '2026-04-17 08:00:00.123456+00', case n when 2 then now() end, case n when 3 then now() end, '2026-04-17',
            '{"n": ' || n || '}', E'a "b"\\n\\\\é' || n, case n when 1 then '{w}'::text[] else '{}' end, 1, n,
            '00000000-0000-7000-8000-000000000001', case when n < 3 then '1.7' else '1.8' end
        from generate_series(1, 3) as n;
        insert into ops.completed_load (load_id, table_name, run_id, attempt, row_count, row_digest)
        select load_id, table_name, '00000000-0000-7000-8000-000000000001', 1, row_count, row_digest
        from ops.load_content where table_name = 'raw_ticket_event';
        insert into ops.erased_load select erasure_id, '1.7', 'raw_ticket_event', 1, 99 from ops.erasure;
        update bronze.raw_ticket_event set customer_id = 'somebody' where _dlt_load_id = '1.8'
        """,
    )
    before = rows_of(old)
    set_up(old.acting_as(Role.LOADER), FILES)
    after = rows_of(old)

    renamed = {"source_id": "record_source", "ticket_id": "record_key", "customer_id": "person_id"}
    gone = {"resolved_at", "sla_due_at", "ingest_batch_id"}
    assert after["bronze.record_event"] == after["bronze.raw_ticket_event"]
    for was, event in zip(before["bronze.raw_ticket_event"], after["bronze.raw_ticket_event"], strict=True):
        assert {
            renamed.get(name, name): value for name, value in was.items() if name not in gone
        }.items() <= event.items()
        # As the loader writes it.
        assert event["envelope"].encode() == orjson.dumps({"ingest_batch_id": was["ingest_batch_id"]})
        assert event["record_kind"] == "ticket_v1"

    def load(tables: dict[str, list[Any]], load_id: str) -> Any:
        return next(row for row in tables["ops.completed_load"] if row["load_id"] == load_id)

    held = {(load_id, name): digest for load_id, name, digest in
            rows(old, "select load_id, table_name, row_digest from ops.load_content")}  # fmt: skip
    assert (load(after, "1.7")["digest_version"], load(after, "1.7")["row_digest"]) == (2, held["1.7", "record_event"])
    unproved = load(after, "1.8")
    assert (unproved["digest_version"], unproved["row_digest"]) == (1, load(before, "1.8")["row_digest"])
    assert unproved["row_digest"] != held["1.8", "record_event"]
    assert [row["table_name"] for row in after["ops.erased_load"]] == ["record_event"]
    for table in ("ops.erasure", "ops.erased_line"):
        assert after[table] == before[table], table

    ((dataset, content),) = rows(
        old, "select dataset, content from ops.run_evidence inner join ops.unwritten_evidence using (evidence_id)"
    )
    record = orjson.loads(bytes(content))
    schema = load_schema(ROOT / "contracts/migration/migration_evidence_v1.schema.json")
    assert (dataset, schema_faults(schema, record)) == (record["asset_key"], [])
    assert [(each["load_id"], each["new_digest"]) for each in record["loads"]] == [
        ("1.7", str(held["1.7", "record_event"])),
        ("1.8", None),
    ]
