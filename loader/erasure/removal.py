"""The one transaction of an erasure: tombstones in, rows out, and every count that rested on them taken down with them.

Afterwards the warehouse is what it would be if the redacted objects had been delivered, but for the fate of the lines.
Then what removed rows leave behind is removed: their places on the disk, and what the planner remembers of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from psycopg2.extras import Json, execute_values

from loader.bounds import KEPT_LINE_BYTES
from loader.config import Settings
from loader.erasure.erasure_plan import ErasurePlan
from loader.erasure.from_releases import remove_from_releases
from loader.erasure.planning import EVENTS
from loader.errors import CheckFailedError
from loader.privacy import add_tombstones, record_hash
from loader.runs import IngestLock
from loader.silver import (
    run_dbt,
)
from loader.warehouse import Warehouse, released_kinds

_PREPARE = """
set local omni.maintenance = 'erasure';
create temporary table erased_here (asset_id integer, line_number integer, too_long_bytes bigint) on commit drop;
create temporary table erased_event on commit drop as
"""

# Every place where the lines stand, under whatever ruleset, before anything of it is changed.
_MEASURE = """
create temporary table erased_place on commit drop as
select line.asset_id, line.line_number, line.ruleset_id, line.kind, line.partition_key, line._dlt_load_id,
    here.too_long_bytes
from bronze.asset_line as line
inner join pg_temp.erased_here as here on here.asset_id = line.asset_id and here.line_number = line.line_number;
create temporary table touched_load on commit drop as
select _dlt_load_id as load_id, 'record_event' as table_name from pg_temp.erased_event
union
select _dlt_load_id, 'asset_line' from pg_temp.erased_place
union
select reject._dlt_load_id, 'rejected_record'
from bronze.rejected_record as reject
inner join pg_temp.erased_here as here on here.asset_id = reject.asset_id and here.line_number = reject.line_number;
insert into ops.erased_load (erasure_id, load_id, table_name, row_count, row_digest)
select %(erasure)s, load_id, table_name, row_count, row_digest
from ops.completed_load inner join pg_temp.touched_load using (load_id, table_name);
insert into ops.unbuilt_erasure (record_kind, record_key)
select distinct record_kind, record_key from pg_temp.erased_event on conflict do nothing;
"""

# A line of more than 10 MiB is rejected whatever it holds, so its reject row stays, with blanks.
_REMOVE_FROM_BRONZE = """
update ops.asset_partition as part
set record_line_count = part.record_line_count - gone.record_count,
    rejected_line_count = part.rejected_line_count - gone.rejected_count
from (
    select asset_id, ruleset_id, partition_key, count(*) filter (where kind = 'record') as record_count,
        count(*) filter (where kind = 'rejected') as rejected_count
    from pg_temp.erased_place where partition_key is not null group by asset_id, ruleset_id, partition_key
) as gone
where part.asset_id = gone.asset_id and part.ruleset_id = gone.ruleset_id and part.partition_key = gone.partition_key;
delete from ops.asset_partition as part
where record_line_count = 0 and rejected_line_count = 0
    and exists (select from pg_temp.erased_place as place where place.asset_id = part.asset_id);
update bronze.asset_line as line
set kind = 'blank', event_id = null, partition_key = null
from pg_temp.erased_place as place
where line.asset_id = place.asset_id and line.line_number = place.line_number and line.ruleset_id = place.ruleset_id
    and place.too_long_bytes is null;
delete from bronze.rejected_record as reject
using pg_temp.erased_here as here
where reject.asset_id = here.asset_id and reject.line_number = here.line_number and here.too_long_bytes is null;
delete from bronze.record_event
where (event_id, record_kind) in (select event_id, record_kind from pg_temp.erased_event);
update ops.completed_load as load
set row_count = coalesce(held.row_count, 0), row_digest = coalesce(held.row_digest, 0)
from pg_temp.touched_load as touched
left join ops.load_content as held
    on held.load_id = touched.load_id and held.table_name = touched.table_name
    and held.load_id in (select load_id from pg_temp.touched_load)
where load.load_id = touched.load_id and load.table_name = touched.table_name;
"""

# Silver holds them still.
_AWAIT_RELEASE = """
insert into release.pending_record (record_kind, record_key)
select distinct record_kind, record_key from pg_temp.erased_event
on conflict do nothing
"""
_VACUUMS = "omnisupport-erase-vacuum"
# Nobody reads them but the loader and dbt: they are written anew, so that no page keeps a dead row.
_WRITTEN_ANEW = ("bronze.record_event", "bronze.rejected_record")
# Readers are on them, or they hold keys only: their empty places are used again, and nobody waits for a lock.
_VACUUMED = (
    "bronze.asset_line",
    "release.change",
    "release.partition_version",
    "release.pending_record",
    "ops.unbuilt_erasure",
    "ops.unproved_change",
)


def remove_rows(
    cursor: Any, plan: ErasurePlan, person_id: str, trace_id: str, new_keys: Mapping[int, str]
) -> dict[str, int]:
    """Carry out the plan in the caller's transaction; `new_keys`: the redacted object of each asset whose object was
    there. Returns what was removed, by place, in rows, lines or objects."""
    names = {"person": person_id, "erasure": plan.plan_id}
    kinds = released_kinds(cursor)
    redacted = {asset.raw_zone_key for asset in plan.assets if asset.lines and asset.asset_id in new_keys}
    removed = {
        **{
            kind.bronze_table: plan.kinds.get(kind.record_kind, {}).get("event_count", 0)
            for kind in kinds
            if kind.person_column is not None or kind.record_kind in plan.kinds
        },
        "asset_line": plan.line_count,
        "rejected_record": plan.count("reject_count"),
        "released_row": plan.count("released_row_count"),
        "raw_zone_object": len(redacted) + len({*plan.unregistered_keys} - {*new_keys.values()}),
    }
    cursor.execute(_PREPARE + EVENTS, {**names, "files": plan.files})
    cursor.execute(
        "insert into ops.erasure (erasure_id, customer_hash, operator, reason, trace_id, removed)"
        " values (%s, %s, %s, %s, %s, %s)",
        (plan.plan_id, plan.person_hash, plan.operator, plan.reason, trace_id, Json(removed)),
    )
    _remember(cursor, plan)
    for asset in plan.assets:
        add_tombstones(cursor, asset.asset_id, plan.plan_id, asset.numbers)
        execute_values(
            cursor,
            "insert into pg_temp.erased_here (asset_id, line_number, too_long_bytes) values %s",
            [(asset.asset_id, number, asset.too_long.get(number)) for number in asset.numbers],
        )
        if asset.asset_id in new_keys:
            _point_to(cursor, plan.plan_id, asset.asset_id, asset.raw_zone_key, new_keys[asset.asset_id], asset.lines)
    cursor.execute(_MEASURE, names)
    for asset in plan.assets:
        for number, size in asset.too_long.items():
            _blank_reject(cursor, asset.asset_id, number, size)
    cursor.execute(_REMOVE_FROM_BRONZE)
    cursor.execute(_AWAIT_RELEASE)
    for kind in kinds:
        remove_from_releases(cursor, kind, names)
    return removed


def _remember(cursor: Any, plan: ErasurePlan) -> None:
    """What names one of these records, and is erased with it, is erased on its way in."""
    cursor.execute("select hash_key from ops.erasure_key")
    key = bytes(cursor.fetchone()[0])
    execute_values(
        cursor,
        "insert into ops.erased_record (record_hash, erasure_id) values %s on conflict do nothing",
        [(record_hash(key, record), plan.plan_id) for record in sorted(plan.records)],
    )


def _point_to(cursor: Any, erasure_id: str, asset_id: int, old_key: str, new_key: str, lines: Any) -> None:
    cursor.execute("update ops.source_asset set raw_zone_key = %s where asset_id = %s", (new_key, asset_id))
    cursor.execute(
        "insert into ops.raw_zone_redaction (asset_id, erasure_id, old_raw_zone_key, new_raw_zone_key, line_count)"
        " values (%s, %s, %s, %s, %s)",
        (asset_id, erasure_id, old_key, new_key, len(lines)),
    )


def _blank_reject(cursor: Any, asset_id: int, line_number: int, size: int) -> None:
    cursor.execute(
        "update bronze.rejected_record set raw_line = %s, raw_line_sha256 = %s"
        " where asset_id = %s and line_number = %s",
        (b" " * KEPT_LINE_BYTES, hashlib.sha256(b" " * size).digest(), asset_id, line_number),
    )


def forget_statistics(lock: IngestLock) -> None:
    """What the planner remembers of keys that waited for a proof. An emptied table keeps its statistics when it is
    analyzed, so it is given a row that nobody ever sees."""
    with lock.transaction() as cursor:
        cursor.execute("insert into ops.unproved_change (table_name, row_key) values ('', '')")
        cursor.execute("analyze ops.unproved_change")
        cursor.execute("delete from ops.unproved_change where (table_name, row_key) = ('', '')")


def write_anew(warehouse: Warehouse) -> None:
    """Bronze without the places of removed rows. Before it is proved: a proof keeps the place of each row."""
    session = warehouse.connect(application_name=_VACUUMS, autocommit=True)
    with closing(session), session.cursor() as cursor:
        for table in _WRITTEN_ANEW:
            cursor.execute(f"vacuum (full, analyze) {table}")


def vacuum(settings: Settings, warehouse: Warehouse, again: str) -> None:
    """`again`: the command that goes on with the erasure, and vacuums once more."""
    session = warehouse.connect(application_name=_VACUUMS, autocommit=True)
    with closing(session), session.cursor() as cursor:
        for table in (*_VACUUMED, *(kind.rows for kind in released_kinds(cursor))):
            cursor.execute(f"vacuum (analyze) {table}")
    # Silver is dbt's: it is emptied by the role that owns it.
    done = run_dbt(warehouse, settings.project_root, ["run-operation", "vacuum_silver"])
    if not done.is_ok:
        raise CheckFailedError(
            "erasure: Silver could not be vacuumed, dbt says why above. The rows and objects of the person are gone;"
            " what their places still hold is not",
            next_command=f"{again}   # when what dbt says is mended",
        )
