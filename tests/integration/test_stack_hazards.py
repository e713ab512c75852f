"""The traps of dlt, ADBC and PostgreSQL, each with the guard that closes it.

Each test first shows the trap (what the stack does by itself, or what is left when our guard is taken out),
then that the guard holds. A new version of the stack that closes a trap fails the first half: the guard may go.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dlt
import psycopg2
import pyarrow as pa
import pytest

from loader.bronze import load as load_module
from loader.bronze.columns import BRONZE, RECORD_EVENT
from loader.bronze.load import staging_dataset
from loader.errors import InfrastructureError, RefusedError
from loader.runs import Attempt, IngestLock, new_run_id
from loader.warehouse import Warehouse
from tests.ingests import rows as query
from tests.ingests import ticket
from tests.integration.bronze_fixtures import new_asset, visible_events, writer


def _plain_pipeline(warehouse: Warehouse, folder: Path, name: str = "plain") -> dlt.Pipeline:
    return dlt.pipeline(
        name,
        pipelines_dir=str(folder),
        destination=dlt.destinations.postgres(warehouse.dsn_url()),
        dataset_name="plain",
    )


def test_one_writer_at_a_time_and_each_attempt_has_its_own_staging(database: Warehouse, tmp_path: Path) -> None:
    """Hazard 1: two dlt runs through one staging dataset lose rows with status ok."""
    first, second = (Attempt(new_run_id(), number, "0" * 31 + "1") for number in (1, 1))
    assert staging_dataset(first) != staging_dataset(second)
    assert len(staging_dataset(first).encode()) <= 63
    with writer(database, tmp_path) as held, pytest.raises(RefusedError) as refusal:
        IngestLock.acquire(database)
    assert str(held.attempt.run_id) in str(refusal.value)


def test_a_pending_package_is_refused_where_dlt_would_load_it_instead_of_the_new_rows(
    database: Warehouse, tmp_path: Path
) -> None:
    """Hazard 2: run(new_data) on a pipeline with a pending package loads the old package and ignores the new rows."""
    pipeline = _plain_pipeline(database, tmp_path / "plain")
    pipeline.run([{"id": 0}], table_name="thing")
    pipeline.extract([{"id": 1}], table_name="thing")
    pipeline.run([{"id": 2}], table_name="thing")
    landed = query(database, "select id from plain.thing order by id")
    assert landed == [(0,), (1,)], "dlt no longer prefers the pending package"

    asset_id = new_asset(database, "pending")
    with writer(database, tmp_path / "work") as one:
        one.loader._pipeline.extract([{"id": 1}], table_name="thing")
        with pytest.raises(InfrastructureError, match="pending"):
            one.load(one.batch([ticket(1)], asset_id=asset_id))
    assert query(database, "select count(*) from bronze.raw_ticket_event") == [(0,)]


def test_rows_of_a_dead_load_are_repaired_before_they_block_the_same_events(
    database: Warehouse, tmp_path: Path
) -> None:
    """Hazard 3: rows of a load that died before completion are invisible, yet insert-only finds them there."""
    asset_id = new_asset(database, "dead load")
    records = [ticket(number) for number in range(1, 4)]
    with writer(database, tmp_path) as dead:
        dead.load(dead.batch(records, asset_id=asset_id))
    assert visible_events(database) == 0

    with writer(database, tmp_path, with_repair=False) as blind:
        blind.load(blind.batch(records, asset_id=asset_id))
        blind.complete(records, asset_id=asset_id)
    assert visible_events(database) == 0, "insert-only landed events past an invisible row: the trap is gone"

    with writer(database, tmp_path) as live:
        live.load(live.batch(records, asset_id=asset_id))
        live.complete(records, asset_id=asset_id)
    assert visible_events(database) == 3


def test_rows_that_the_window_would_drop_silently_fail_the_load(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 4: dlt's incremental drops rows outside its window without a word, and compares text cursors as text."""

    def rows(cursor: object = dlt.sources.incremental("at", initial_value="9")) -> object:
        yield [{"at": "10"}, {"at": "9"}]

    pipeline = _plain_pipeline(database, tmp_path / "plain")
    pipeline.run(dlt.resource(rows, name="thing"))
    assert query(database, "select at from plain.thing") == [("9",)], "dlt no longer compares '10' < '9'"

    true_window = load_module._window
    monkeypatch.setattr(
        load_module,
        "_window",
        lambda batch: (true_window(batch)[0] + timedelta(hours=1), true_window(batch)[1]),
    )
    records = [ticket(1), ticket(2, created_at="2026-04-17T12:00:00Z")]
    with (
        writer(database, tmp_path / "work") as one,
        pytest.raises(InfrastructureError, match="took 1 of 2 rows"),
    ):
        one.load(one.batch(records, asset_id=new_asset(database, "window")))


def test_late_rows_land_like_any_other(database: Warehouse, tmp_path: Path) -> None:
    """Hazard 4, the other half: a record older than everything seen so far is classified, never dropped."""
    asset_id = new_asset(database, "late")
    new_asset(database, "later")
    for records in (
        [ticket(1, updated_at="2026-04-20T00:00:00Z")],
        [ticket(2, created_at="2026-03-01T00:00:00Z")],
    ):
        with writer(database, tmp_path) as one:
            one.load(one.batch(records, asset_id=asset_id))
            one.complete(records, asset_id=asset_id)
        asset_id += 1
    assert visible_events(database) == 2


def test_an_event_twice_in_one_load_is_landed_once(database: Warehouse, tmp_path: Path) -> None:
    """Hazard 7: insert-only does not deduplicate within one load, and with a key the repeat fails it."""
    record = ticket(1)
    with writer(database, tmp_path) as one:
        asset_id = new_asset(database, "twice")
        batch = one.batch([record, record], asset_id=asset_id)
        assert batch.row_count(RECORD_EVENT) == 1
        (chunk,) = batch._chunks
        events = chunk.tables[RECORD_EVENT.name]
        tables = {**chunk.tables, RECORD_EVENT.name: pa.concat_tables([events, events])}
        batch._chunks = [replace(chunk, tables=tables)]
        with pytest.raises(InfrastructureError, match="dlt failed in step load"):
            one.load(batch)
    with writer(database, tmp_path) as two:
        two.load(two.batch([record, record], asset_id=asset_id))
        two.complete([record, record], asset_id=asset_id)
    assert visible_events(database) == 1


def test_counts_of_a_load_come_from_the_tables(database: Warehouse, tmp_path: Path) -> None:
    """Hazard 9: dlt reports rows extracted; of a load that found everything there already it says the same."""
    records = [ticket(1), ticket(2)]
    for name in ("first", "again"):
        asset_id = new_asset(database, name)
        with writer(database, tmp_path) as one:
            one.load(one.batch(records, asset_id=asset_id))
            extracted = one.loader._pipeline.last_trace.last_normalize_info.row_counts["raw_ticket_event"]
            assert extracted == 2
            one.complete(records, asset_id=asset_id)
    counts = query(
        database,
        "select row_count from ops.completed_load where table_name = 'record_event' order by completed_at",
    )
    assert counts == [(2,), (0,)]


def test_bronze_rows_leave_only_through_repair_or_erasure(database: Warehouse, tmp_path: Path) -> None:
    """An UPDATE by hand or by a tool would rewrite history without a trace."""
    records = [ticket(1)]
    asset_id = new_asset(database, "guarded")
    with writer(database, tmp_path) as one:
        one.load(one.batch(records, asset_id=asset_id))
        one.complete(records, asset_id=asset_id)
    for table in BRONZE:
        for statement in (f"delete from bronze.{table.name}", f"truncate bronze.{table.name}"):
            with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
                query(database, statement)
        with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
            query(database, f"update bronze.{table.name} set _dlt_load_id = 'x'")


def test_a_load_that_outlives_its_lock_is_fenced_off(database: Warehouse, tmp_path: Path) -> None:
    """A process that lost its lock must not merge rows behind the back of the one that repaired after it."""
    records = [ticket(1)]
    asset_id = new_asset(database, "fenced")
    with writer(database, tmp_path / "a") as lost:
        query(database, "select pg_terminate_backend(%s, 5000)", lost.lock.backend_pid)
        with pytest.raises(InfrastructureError, match="does not hold the ingest lock"):
            lost.load(lost.batch(records, asset_id=asset_id))
        with pytest.raises(InfrastructureError, match="is gone"):
            lost.complete(records, asset_id=asset_id)
    assert query(database, "select count(*) from bronze.raw_ticket_event") == [(0,)]


def test_a_rival_declared_dead_cannot_record_its_stage(database: Warehouse, tmp_path: Path) -> None:
    """Two attempts that both believe to be current would complete the same work twice."""
    with writer(database, tmp_path) as one:
        query(database, "update ops.ingest_run set status = 'crashed'")
        with pytest.raises(InfrastructureError, match="no longer current"), one.ledger.boundary("landed"):
            pass
    assert query(database, "select stage from ops.ingest_run") == [("started",)]


def test_arrow_columns_have_exactly_the_types_of_the_tables(database: Warehouse) -> None:
    """Hazard 8: ADBC checks no types and dlt would create json, varchar and no index of its own."""
    names = {"timestamptz": "timestamp with time zone", "text[]": "ARRAY"}
    for table in BRONZE:
        found = query(
            database,
            "select column_name::text, data_type::text, is_nullable = 'YES' from information_schema.columns"
            " where table_schema = 'bronze' and table_name = %s order by ordinal_position",
            table.name,
        )
        expected = [(name, names.get(kind, kind), nullable) for name, kind, nullable in table.columns]
        assert sorted(found) == sorted(expected), table.name
        key = query(
            database,
            "select array_agg(a.attname::text order by array_position(i.indkey::int[], a.attnum::int))"
            " from pg_index as i inner join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)"
            " where i.indisprimary and i.indrelid = %s::regclass",
            f"bronze.{table.name}",
        )
        # A partitioned table's key holds what it is partitioned by.
        assert tuple(key[0][0]) == (*table.key, *(("record_kind",) if table is RECORD_EVENT else ()))


def test_staging_tables_get_our_types_so_binary_copy_fills_uuid_and_text_arrays(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hazard 8: this rests on an undocumented hook of dlt and on ADBC's binary COPY; a new version may drop either."""
    monkeypatch.setenv("LOADER_LOAD_FORMAT", "parquet")
    with writer(database, tmp_path) as one:
        one.load(one.batch([ticket(1, created_at="2026-04-18T00:00:00Z")], asset_id=new_asset(database, "t")))
        staging = query(
            database,
            "select column_name::text, udt_name::text from information_schema.columns"
            " where table_schema = %s and table_name = 'raw_ticket_event'"
            " and column_name in ('event_id', 'warning_codes', 'asset_id') order by 1",
            staging_dataset(one.attempt),
        )
        row = query(database, "select warning_codes, length(event_id::text) from bronze.raw_ticket_event")
    assert staging == [("asset_id", "int4"), ("event_id", "uuid"), ("warning_codes", "_text")]
    assert row == [(["ticket_day_mismatch"], 36)]
    assert isinstance(RECORD_EVENT.arrow_schema, pa.Schema)
