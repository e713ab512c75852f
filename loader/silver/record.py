"""The record of a proof: what it covers, and the days that wait for the gate because of it."""

from __future__ import annotations

from typing import Any

from loader.runs.anchors import Attempt
from loader.silver.proof import ProofScope, Proved
from loader.silver.results import BuildResult
from loader.warehouse.built import built

# What is said of an open day before the gate has said more.
FOUND = "reconcile has found something"


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
        " insert into release.pending_ticket (ticket_id)"
        " select distinct row_key from proved where table_name = 'silver.ticket_fact'"
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
        " values (%s, %s, %s, %s, %s, (select count(*) from ops.proved_load), %s::date[])",
        (
            scope.name,
            *((str(attempt.run_id), attempt.number) if attempt else (None, None)),
            build.invocation_id,
            scope.project_sha256,
            sorted(proved.open_days),
        ),
    )


# Days with a change that the proof covers: noted by a trigger, where a note without a day is of every day, or landed.
_CHANGED_DAYS = """
with changed as (
    select distinct partition_key from ops.unproved_change
    where pg_visible_in_snapshot(changed_in, %s::pg_snapshot)
        and (table_name = 'silver.ticket_fact' or starts_with(table_name, 'bronze.'))
    union
    select part.partition_key
    from ops.completed_load as load
    inner join ops.run_asset as entry
        on entry.run_id = load.run_id and entry.attempt = load.attempt and entry.action = 'parsed'
    inner join ops.asset_partition as part on part.asset_id = entry.asset_id
    where load.load_id not in (select load_id from ops.proved_load)
)
update release.partition_gate as gate set is_pending = true
where not gate.is_pending
    and exists (select from changed where coalesce(changed.partition_key, gate.partition_key) = gate.partition_key)
"""


def _await_gate(cursor: Any, seen: str, proved: Proved) -> None:
    """Before the record of a proof takes away what says that days changed. Whoever proves may die before the gate has
    looked, and a day that only a later gate keeps back must not be called ready meanwhile."""
    cursor.execute(_CHANGED_DAYS, (seen,))
    cursor.execute(
        "update release.partition_gate set obstacles = %s::text[]"
        " where partition_key = any(%s::date[]) and obstacles = '{}'",
        ([FOUND], sorted(proved.open_days)),
    )
