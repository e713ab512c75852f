"""What dead attempts left behind, removed before the next one works.

Rows of a load that never completed are invisible, yet they would keep insert-only merges from landing the
same events again. So they go first. Only the holder of the ingest lock may call this.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2 import sql

from loader.runs.anchors import Attempt
from loader.runs.lock import IngestLock

BRONZE_TABLES = ("record_event", "asset_line", "rejected_record")
STAGING_PREFIX = "bronze_staging_"


# What a run's attempts landed, as if it had never been completed: rows of its loads leave Bronze, and what it had
# indexed and taken is to be read again. Rows of its own files also go when they are of loads that nobody completed, and
# so do marks of runs that the ledger does not know: rows of other files may have no archive. Silver hears of the
# records, since no load tells of what is gone.
_GONE = """
set local omni.maintenance = 'repair';
create temporary table gone_load on commit drop as
select load_id from ops.completed_load where run_id = %(run_id)s
union
select unnest(dlt_load_ids) from ops.ingest_run where run_id = %(run_id)s;
create temporary table gone_asset on commit drop as
select asset_id from ops.run_asset where run_id = %(run_id)s and asset_id is not null
union
select asset_id from ops.asset_index where run_id = %(run_id)s
union
select asset_id from ops.asset_partition where taken_by_run_id = %(run_id)s;
"""
_GONE_RECORDS = """
insert into ops.unbuilt_erasure (record_kind, record_key)
select distinct record_kind, record_key from bronze.record_event
where _dlt_load_id in (select load_id from pg_temp.gone_load)
    or asset_id in (select asset_id from pg_temp.gone_asset)
    and _dlt_load_id not in (select load_id from ops.completed_load where table_name = 'record_event')
on conflict do nothing
"""
_GONE_ROWS = """
delete from bronze.{table}
where _dlt_load_id in (select load_id from pg_temp.gone_load)
    or asset_id in (select asset_id from pg_temp.gone_asset)
    and _dlt_load_id not in (select load_id from ops.completed_load where table_name = {name})
"""
_GONE_MARKS = """
delete from bronze._dlt_loads where load_id in (select load_id from pg_temp.gone_load);
delete from ops.completed_load where load_id in (select load_id from pg_temp.gone_load);
delete from ops.proved_load where load_id in (select load_id from pg_temp.gone_load);
update ops.ingest_run set dlt_load_ids = '{}' where run_id = %(run_id)s;
update ops.asset_partition as part set taken_by_run_id = null, taken_at = null
where taken_by_run_id = %(run_id)s
    or asset_id in (select asset_id from pg_temp.gone_asset)
    and taken_by_run_id is not null and taken_by_run_id not in (select run_id from ops.ingest_run);
with gone as (
    delete from ops.asset_index
    where run_id = %(run_id)s
        or asset_id in (select asset_id from pg_temp.gone_asset)
        and run_id not in (select run_id from ops.ingest_run)
    returning asset_id, ruleset_id
)
delete from ops.asset_partition as part using gone
where part.asset_id = gone.asset_id and part.ruleset_id = gone.ruleset_id and part.taken_by_run_id is null
"""

# Whoever doubled rows of these had to drop the key that their marks are written by: it is made again.
_KEYS = {
    "completed_load": ("load_id", "table_name"),
    "asset_index": ("asset_id", "ruleset_id"),
    "asset_partition": ("asset_id", "ruleset_id", "partition_key"),
}
_IS_KEYED = "select exists (select from pg_index where indrelid = %s::regclass and indisprimary)"
_MAKE_KEY = """
delete from ops.{table} as copy using ops.{table} as kept
where {is_same} and copy.ctid > kept.ctid;
alter table ops.{table} add primary key ({columns})
"""


@dataclass(frozen=True, slots=True)
class Repair:
    """What was removed: Bronze rows, staging schemas, working folders; and the attempts found dead."""

    row_count: int
    staging_schemas: tuple[str, ...]
    working_folders: tuple[str, ...]
    crashed_attempts: tuple[tuple[str, int], ...]


Attempts = Sequence[tuple[str, int]]


def _nothing(cursor: Any, attempts: Attempts) -> None:
    pass


def repair(lock: IngestLock, working_root: Path, on_crashed: Callable[[Any, Attempts], object] = _nothing) -> Repair:
    """Mark attempts without a live holder as crashed, remove what they left. Their loads can add nothing any more: who
    takes the lock over has waited for them.

    `on_crashed` is called in the transaction that marks them: none is marked without its evidence. Idempotent, and safe
    to kill at any point: a later call finishes it.
    """
    with lock.transaction() as cursor:
        cursor.execute(
            "update ops.ingest_run set status = 'crashed', finished_at = now(),"
            " failure = coalesce(failure, 'found dead by a later command')"
            " where status = 'running' returning run_id::text, attempt"
        )
        crashed = tuple((str(run_id), int(attempt)) for run_id, attempt in cursor.fetchall())
        on_crashed(cursor, crashed)
    with lock.transaction() as cursor:
        removed = _remove_uncompleted_rows(cursor)
        staging = _drop_staging(cursor)
        dead = _known_attempts(cursor)
    return Repair(removed, staging, _remove_folders(working_root, dead), crashed)


def take_back(cursor: Any, run_id: str) -> int:
    """Remove what a run has landed, in the caller's transaction, so that it can be landed again; returns the rows that
    left Bronze. For rows that are not what it landed any more: the archive must hold every byte (require_objects)."""
    names = {"run_id": run_id}
    cursor.execute(_GONE, names)
    cursor.execute(_GONE_RECORDS)
    removed = 0
    for table in BRONZE_TABLES:
        cursor.execute(sql.SQL(_GONE_ROWS).format(table=sql.Identifier(table), name=sql.Literal(table)))
        removed += cursor.rowcount
    cursor.execute(_GONE_MARKS, names)
    for table, key in _KEYS.items():
        cursor.execute(_IS_KEYED, (f"ops.{table}",))
        if not cursor.fetchone()[0]:
            _make_key(cursor, table, key)
    return removed


def _make_key(cursor: Any, table: str, key: Sequence[str]) -> None:
    columns = [sql.Identifier(column) for column in key]
    is_same = [sql.SQL("copy.{0} = kept.{0}").format(column) for column in columns]
    cursor.execute(
        sql.SQL(_MAKE_KEY).format(
            table=sql.Identifier(table), is_same=sql.SQL(" and ").join(is_same), columns=sql.SQL(", ").join(columns)
        )
    )


def drop_working_state(lock: IngestLock, attempt: Attempt, working_root: Path) -> None:
    """Forget the packages and staging tables of an attempt whose loads are completed; Bronze is untouched."""
    with lock.transaction() as cursor:
        _drop_staging(cursor, attempt.label)
    shutil.rmtree(working_root / attempt.label, ignore_errors=True)


def _remove_uncompleted_rows(cursor: Any) -> int:
    """Bronze is searched only when an attempt ended before its loads were completed; no other leaves such rows. (Not
    by its stage: an attempt that recorded its own failure is `finished`.)
    """
    cursor.execute(
        "update ops.ingest_run set is_repaired = true"
        " where not jsonb_exists(stage_ended_at, 'landed') and not is_repaired and status <> 'running'"
    )
    if cursor.rowcount == 0:
        return 0
    cursor.execute("set local omni.maintenance = 'repair'")
    removed = 0
    for table in BRONZE_TABLES:
        cursor.execute(
            sql.SQL(
                "with dead as (select distinct _dlt_load_id from bronze.{table} except"
                " select load_id from ops.completed_load where table_name = %s)"
                " delete from bronze.{table} using dead where {table}._dlt_load_id = dead._dlt_load_id"
            ).format(table=sql.Identifier(table)),
            (table,),
        )
        removed += cursor.rowcount
    return removed


def _drop_staging(cursor: Any, label: str = "") -> tuple[str, ...]:
    # The loader's own: a name says nothing of who made a schema.
    cursor.execute(
        "select nspname from pg_namespace where starts_with(nspname, %s) and nspowner = current_user::regrole"
        " order by nspname",
        (STAGING_PREFIX + label,),
    )
    schemas = tuple(str(name) for (name,) in cursor.fetchall())
    for schema in schemas:
        cursor.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
    return schemas


def _known_attempts(cursor: Any) -> frozenset[str]:
    """Labels of this warehouse's attempts, all dead by now."""
    cursor.execute("select replace(run_id::text, '-', '') || '_' || attempt from ops.ingest_run")
    return frozenset(str(label) for (label,) in cursor.fetchall())


def _remove_folders(working_root: Path, labels: frozenset[str]) -> tuple[str, ...]:
    """Folders of other attempts stay: one checkout may write two warehouses at once, each under its own lock."""
    if not working_root.is_dir():
        return ()
    folders = sorted(child for child in working_root.iterdir() if child.is_dir() and child.name in labels)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return tuple(folder.name for folder in folders)
