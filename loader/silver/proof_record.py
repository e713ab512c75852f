"""The record of a proof: what it covers, and the partitions that wait for the gate because of it."""

from __future__ import annotations

from typing import Any

from psycopg2.extras import Json

from loader.obstacles import Code, Obstacle
from loader.runs import Attempt
from loader.silver.proof import ProofScope, Proved
from loader.silver.results import BuildResult
from loader.warehouse import built


def record_proof(cursor: Any, scope: ProofScope, proved: Proved, build: BuildResult, attempt: Attempt | None) -> None:
    """Note a build that closed (judge_build) as the last proof, with the loads and assets that it covers.

    Under the ingest lock: no load can have completed, and no asset been read, since dbt looked. Days of which rows
    changed, and those left open, are not ready from now on until the gate has looked at them.
    """
    with built(cursor) as there:
        there.execute("select seen::text from reconcile.proof_scope")
        (seen,) = there.fetchone()
    _await_gate(cursor, seen, proved)
    # What was changed is proved, or damage of a day that is open, and waits for its release.
    cursor.execute(
        "with proved as ("
        "  delete from ops.unproved_change where pg_visible_in_snapshot(changed_in, %s::pg_snapshot)"
        "  returning table_name, row_key)"
        " insert into release.pending_record (record_kind, record_key)"
        " select distinct kind.record_kind, proved.row_key from proved"
        " inner join release.released_kind as kind on proved.table_name = 'silver.' || kind.table_name"
        " on conflict do nothing",
        (seen,),
    )
    # So is Silver without the rows that left Bronze.
    cursor.execute("delete from ops.unbuilt_erasure")
    cursor.execute(
        "insert into ops.proved_load (load_id) select load_id from ops.completed_load on conflict do nothing"
    )
    cursor.execute(
        "delete from ops.proved_asset as proved where not exists ("
        "  select from ops.asset_reading as reading"
        "  where to_jsonb(reading) - 'is_complete' - 'record_kind' = to_jsonb(proved))"
    )
    cursor.execute(
        "insert into ops.proved_asset (asset_id, ruleset_id, sequence, taken_partition_count)"
        " select asset_id, ruleset_id, sequence, taken_partition_count from ops.asset_reading on conflict do nothing"
    )
    cursor.execute(
        "insert into ops.proof"
        " (scope, run_id, attempt, dbt_invocation_id, project_sha256, load_count, open_partitions)"
        " values (%s, %s, %s, %s, %s, (select count(*) from ops.proved_load), %s)",
        (
            scope.name,
            *((str(attempt.run_id), attempt.number) if attempt else (None, None)),
            build.invocation_id,
            scope.project_sha256,
            Json(_recorded(proved)),
        ),
    )


def _recorded(proved: Proved) -> list[dict[str, str | None]]:
    found = [(kind, None if day is None else day.isoformat()) for kind, day in proved.open_partitions]
    return [
        {"record_kind": kind, "partition_key": day}
        for kind, day in sorted(found, key=lambda each: (each[0] or "", each[1] or ""))
    ]


# Days with a change that the proof covers: noted by a trigger, where a note without a day is of every day and one of a
# table of several kinds is of each, or landed.
_CHANGED_DAYS = """
with changed as (
    select distinct kind.record_kind, change.partition_key
    from ops.unproved_change as change
    left join release.released_kind as kind
        on change.table_name in ('silver.' || kind.table_name, 'bronze.' || kind.bronze_table)
    where pg_visible_in_snapshot(change.changed_in, %s::pg_snapshot)
        and (kind.record_kind is not null or starts_with(change.table_name, 'bronze.'))
    union
    select asset.record_kind, part.partition_key
    from ops.completed_load as load
    inner join ops.run_asset as entry
        on entry.run_id = load.run_id and entry.attempt = load.attempt and entry.action = 'parsed'
    inner join ops.asset_partition as part on part.asset_id = entry.asset_id
    inner join ops.source_asset as asset on asset.asset_id = entry.asset_id
    where load.load_id not in (select load_id from ops.proved_load)
)
update release.partition_gate as gate set is_pending = true
where not gate.is_pending
    and exists (
        select from changed
        where coalesce(changed.record_kind, gate.record_kind) = gate.record_kind
            and coalesce(changed.partition_key, gate.partition_key) = gate.partition_key)
"""


def _await_gate(cursor: Any, seen: str, proved: Proved) -> None:
    """Before the record of a proof takes away what says that days changed. Whoever proves may die before the gate has
    looked, and a day that only a later gate keeps back must not be called ready meanwhile."""
    cursor.execute(_CHANGED_DAYS, (seen,))
    cursor.execute(
        "update release.partition_gate as gate set obstacles = %s"
        " from unnest(%s::text[], %s::date[]) as open (record_kind, partition_key)"
        " where gate.record_kind = coalesce(open.record_kind, gate.record_kind)"
        " and gate.partition_key = coalesce(open.partition_key, gate.partition_key) and gate.obstacles = '[]'",
        (
            Json([Obstacle(Code.LEFT_OPEN).as_record()]),
            [kind for kind, _ in proved.open_partitions],
            [day for _, day in proved.open_partitions],
        ),
    )
