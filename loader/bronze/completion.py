"""Completion: the one transaction that makes an attempt's loads visible."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from psycopg2.extras import Json, execute_values

from loader.bronze.columns import BRONZE, RECORD_EVENT
from loader.errors import CheckFailedError
from loader.runs import Attempt

if TYPE_CHECKING:
    from loader.bronze.batch import Landed
    from loader.bronze.reading import AssetReading


def complete(
    cursor: Any,
    attempt: Attempt,
    landed: Landed,
    *,
    ruleset_id: int,
    window: tuple[date, date] | None,
    is_limited: bool,
) -> None:
    """Record the loads with what the tables hold, the readings, and the partitions taken.

    Runs inside the boundary of stage `landed`. A partition is marked taken because every line of it has been
    offered to Bronze; whether each event is really there is for reconcile to prove (a missing one is a gap).
    A limited run marks nothing taken.
    """
    run_id, load_ids = str(attempt.run_id), landed.load_ids
    _record_loads(cursor, attempt, load_ids)
    cursor.execute(
        "update ops.ingest_run set dlt_load_ids = dlt_load_ids || %s::text[] where run_id = %s and attempt = %s",
        (list(load_ids), run_id, attempt.number),
    )
    for reading in landed.readings:
        if reading.is_new_index:
            _record_index(cursor, attempt, ruleset_id, reading)
        elif not is_limited:
            _confirm_index(cursor, ruleset_id, reading)
        if not is_limited:
            cursor.execute(
                "update ops.asset_partition set taken_by_run_id = %s, taken_at = now()"
                " where asset_id = %s and ruleset_id = %s and taken_by_run_id is null"
                " and partition_key >= coalesce(%s, '-infinity'::date)"
                " and partition_key < coalesce(%s, 'infinity'::date)",
                (run_id, reading.asset_id, ruleset_id, *(window or (None, None))),
            )
    if load_ids:
        # Without fresh statistics the planner takes the new rows for few, and joins them one by one. A sample of
        # 6,000 rows says what they are.
        cursor.execute(
            "set local default_statistics_target = 20;"
            " analyze bronze.record_event, bronze.asset_line, bronze.rejected_record, ops.asset_partition,"
            " ops.asset_index, ops.completed_load, ops.source_asset, ops.manifest_asset"
        )


def _record_loads(cursor: Any, attempt: Attempt, load_ids: Sequence[str]) -> None:
    """A row for each load and table, with what the table holds of it: read first, since only a query without a
    write is shared among workers."""
    if not load_ids:
        return
    cursor.execute(
        "select record_kind from ops.ingest_run where run_id = %s and attempt = %s",
        (str(attempt.run_id), attempt.number),
    )
    (record_kind,) = cursor.fetchone()
    cursor.execute("set local parallel_setup_cost = 0")
    cursor.execute(
        "select load_id, table_name, row_count, row_digest from ops.load_content where load_id = any(%s)",
        (list(load_ids),),
    )
    contents = {(load_id, table_name): content for load_id, table_name, *content in cursor.fetchall()}
    cursor.execute(
        "select load_id, jsonb_object_agg(record_source, newest_at) from ("
        "  select _dlt_load_id as load_id, record_source, max(coalesce(updated_at, created_at)) as newest_at"
        "  from bronze.record_event where _dlt_load_id = any(%s) group by _dlt_load_id, record_source"
        ") as newest group by load_id",
        (list(load_ids),),
    )
    newest = dict(cursor.fetchall())
    execute_values(
        cursor,
        "insert into ops.completed_load"
        " (load_id, table_name, record_kind, run_id, attempt, row_count, row_digest, newest_at) values %s",
        [
            (
                load_id,
                table.name,
                record_kind,
                str(attempt.run_id),
                attempt.number,
                *contents.get((load_id, table.name), (0, 0)),
                Json(newest.get(load_id, {}) if table is RECORD_EVENT else {}),
            )
            for load_id in load_ids
            for table in BRONZE
        ],
    )


def _confirm_index(cursor: Any, ruleset_id: int, reading: AssetReading) -> None:
    """Raise CheckFailedError where an asset that was indexed before did not read as it did then: the same bytes under
    the same ruleset must."""
    cursor.execute(
        "select line_count from ops.asset_index where asset_id = %s and ruleset_id = %s", (reading.asset_id, ruleset_id)
    )
    (line_count,) = cursor.fetchone()
    cursor.execute(
        "select partition_key, record_line_count, rejected_line_count from ops.asset_partition"
        " where asset_id = %s and ruleset_id = %s",
        (reading.asset_id, ruleset_id),
    )
    then = (line_count, {day: tuple(counts) for day, *counts in cursor.fetchall()})
    days = reading.records.keys() | reading.rejects.keys()
    now = (reading.line_count, {day: (reading.records[day], reading.rejects[day]) for day in days})
    if now == then:
        return
    differing = sorted(day for day in then[1].keys() | now[1].keys() if then[1].get(day) != now[1].get(day))
    raise CheckFailedError(
        f"asset {reading.asset_id} reads otherwise than when it was indexed under this ruleset: {now[0]} lines, then"
        f" {then[0]}; days that differ: {', '.join(map(str, differing[:5])) or 'none'}. Nothing of this attempt is"
        " visible; the index, the archive or the reader is damaged.",
        next_command="make build SELECT=reconcile   # says whether the index still adds up",
    )


def _record_index(cursor: Any, attempt: Attempt, ruleset_id: int, reading: AssetReading) -> None:
    is_complete = reading.line_count == reading.indexed_line_count
    cursor.execute(
        "insert into ops.asset_index"
        " (asset_id, ruleset_id, line_count, indexed_line_count, is_complete, run_id, attempt)"
        " values (%s, %s, %s, %s, %s, %s, %s) on conflict (asset_id, ruleset_id) do update set"
        " line_count = excluded.line_count, indexed_line_count = excluded.indexed_line_count,"
        " is_complete = excluded.is_complete, run_id = excluded.run_id, attempt = excluded.attempt, indexed_at = now()"
        " where excluded.indexed_line_count >= asset_index.indexed_line_count",
        (
            reading.asset_id,
            ruleset_id,
            reading.line_count,
            reading.indexed_line_count,
            is_complete,
            str(attempt.run_id),
            attempt.number,
        ),
    )
    if cursor.rowcount == 0:
        return  # a limited run that read less than an earlier one: what is indexed stays indexed
    days = sorted(reading.records.keys() | reading.rejects.keys())
    cursor.execute(
        "insert into ops.asset_partition"
        " (asset_id, ruleset_id, partition_key, record_line_count, rejected_line_count)"
        " select %s, %s, * from unnest(%s::date[], %s::bigint[], %s::bigint[])"
        " on conflict (asset_id, ruleset_id, partition_key) do update set"
        " record_line_count = excluded.record_line_count, rejected_line_count = excluded.rejected_line_count",
        (
            reading.asset_id,
            ruleset_id,
            days,
            [reading.records[day] for day in days],
            [reading.rejects[day] for day in days],
        ),
    )
