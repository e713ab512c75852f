"""`loader status`: what the warehouse says about partitions, runs and state, read without the ingest lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.advice import Asked, diagnose, read_shown
from loader.config import Settings, load_settings
from loader.evidence import read_missing_links, read_open_drift, read_ties
from loader.ingest import ABSENT, explained, words_of
from loader.kinds import load_ruleset
from loader.obstacles import told
from loader.partition import Partition
from loader.recovery import IS_ALIVE, World
from loader.release import known_kinds, refuse_unknown_kind, view_faults
from loader.status.days import IN_NEED, STATES, DayState, State, states_of_days
from loader.warehouse import Warehouse, are_built, built, fetch_rows, json_value, released_kinds

__all__ = ["IN_NEED", "STATES", "DayState", "State", "Status", "read_status", "states_of_days"]

_PARTITIONS = """
select part.record_kind, part.partition_key, indexed.expected_count, part.line_count, part.landed_count,
    part.duplicate_count,
    part.rejected_count, part.out_of_partition_count, part.gap_count,
    part.withheld_asset_count, part.missing_asset_count, part.not_read_asset_count,
    part.event_count, part.superseded_count, part.collided_count, part.retired_count, part.pending_count,
    part.moved_count, part.silver_row_count, part.unexplained_count, part.obstacles, part.is_complete,
    reader.run_id as last_run_id, reader.mode as last_verb
from reconcile.reconcile_partition as part
left join (
    select record_kind, partition_key, sum(record_line_count)::bigint as expected_count
    from ops.asset_partition
    inner join ops.asset_reading using (asset_id, ruleset_id)
    group by record_kind, partition_key
) as indexed on indexed.record_kind = part.record_kind and indexed.partition_key = part.partition_key
-- The run that last read lines of it.
left join (
    select distinct on (run.record_kind, reading.partition_key)
        run.record_kind, reading.partition_key, run.run_id::text, run.mode
    from ops.asset_partition as reading
    inner join ops.run_asset as entry on entry.asset_id = reading.asset_id and entry.action = 'parsed'
    inner join ops.ingest_run as run on run.run_id = entry.run_id and run.attempt = entry.attempt
    where run.window_start is null
        or (reading.partition_key >= run.window_start and reading.partition_key < run.window_end)
    order by run.record_kind, reading.partition_key, run.event_number desc
) as reader on reader.record_kind = part.record_kind and reader.partition_key = part.partition_key
where (%(day)s::date is null or part.partition_key = %(day)s)
    and (%(kind)s::text is null or part.record_kind = %(kind)s)
order by part.record_kind, part.partition_key
"""

_RUNS = f"""
select run_id::text, attempt, record_kind, mode, status, {IS_ALIVE} as is_alive,
    -- The last that was done: of a run that failed, `finished` would say nothing.
    case when status in ('success', 'warning') then stage else last_stage end as stage,
    window_start, window_end, started_at,
    -- Null where the clock went back meanwhile.
    case when coalesce(finished_at, now()) >= started_at
        then round(extract(epoch from coalesce(finished_at, now()) - started_at), 1) end as seconds, failure
from ops.ingest_run as run
where (%(day)s::date is null or window_start is null or (window_start <= %(day)s and %(day)s < window_end))
    and (%(kind)s::text is null or record_kind = %(kind)s)
order by event_number desc limit %(limit)s
"""

_STATE = """
select kind.record_kind, record_source, state_kind, value_at
from ops.ingest_state
left join release.released_kind as kind on dataset = 'bronze.' || kind.bronze_table
where %(kind)s::text is null or kind.record_kind = %(kind)s
order by kind.record_kind, record_source, state_kind
"""

# Manifests of another kind.
_OTHERS = "select manifest_id from ops.manifest where contract_ref <> %(kind)s"

_PROOFS = """
select distinct on (scope) scope, proved_at, run_id::text, load_count from ops.proof order by scope, proof_id desc
"""

_FINDINGS = """
select table_name, check_name, record_kind, partition_key, source_id, finding_count, detail
from reconcile.reconcile_finding
where %(kind)s::text is null or coalesce(record_kind, %(kind)s) = %(kind)s
order by table_name, check_name, record_kind, partition_key, source_id
"""
# As many are told of a warehouse; each counts for its day.
_FINDINGS_TOLD = 50

_HOLDS = """
select record_kind, partition_key, reason, operator from release.partition_hold
where (%(day)s::date is null or partition_key = %(day)s) and (%(kind)s::text is null or record_kind = %(kind)s)
order by record_kind, partition_key
"""

# The files that lines of a day are in, as the latest reading that was whole found them.
_FILES = """
select record_kind, entry.source_id, entry.manifest_id, part.record_line_count, part.rejected_line_count,
    part.taken_by_run_id::text
from ops.asset_partition as part
inner join ops.asset_reading using (asset_id, ruleset_id)
inner join ops.manifest_asset as entry using (asset_id)
where part.partition_key = %(day)s and (%(kind)s::text is null or record_kind = %(kind)s)
order by record_kind, entry.manifest_id, entry.sequence, entry.source_id
"""


@dataclass(frozen=True, slots=True)
class Status:
    """Rows as name → JSON-ready value; `partitions` and `findings` stand as the last reconcile left them.

    `days`: the state of each. `holds`: who holds days, and why; `files`: of the one partition only, which files its
    lines are in. `proofs`: the last that closed over everything, and over what had changed. `readers`: what readers see
    of the one partition, or of those that they do not see as they are proved. `view_faults`: why what they see is not
    what was released, `blind_kinds`: of which kinds. `open_answers`: of the triage, what is not in order. `kinds`:
    those that the warehouse knows; `record_kind`: the one asked for, if it was.
    """

    days: Sequence[DayState]
    partitions: Sequence[Mapping[str, Any]]
    runs: Sequence[Mapping[str, Any]]
    state: Sequence[Mapping[str, Any]]
    proofs: Sequence[Mapping[str, Any]]
    absent_assets: Sequence[Mapping[str, Any]]
    findings: Sequence[Mapping[str, Any]]
    drift: Sequence[Mapping[str, Any]]
    ties: Sequence[Mapping[str, Any]]
    links: Sequence[Mapping[str, Any]]
    readers: Sequence[Mapping[str, Any]]
    holds: Sequence[Mapping[str, Any]]
    files: Sequence[Mapping[str, Any]]
    view_faults: Sequence[str]
    is_reconciled: bool
    nearest: Sequence[str]
    open_answers: Sequence[str]
    next_command: str
    # Lost records, other warehouses in the report folder, clocks that went back.
    notices: Sequence[str]
    kinds: Sequence[str] = ()
    record_kind: str | None = None
    blind_kinds: Sequence[str] = ()


def read_status(
    warehouse: Warehouse,
    partition: date | None,
    run_limit: int = 10,
    *,
    settings: Settings | None = None,
    record_kind: str | None = None,
) -> Status:
    """Read everything in one snapshot (repeatable read); writes nothing. The next command is that of diagnose.

    Without `settings`, today's are taken and the folder of manifests is not searched for some that no run has read.
    Raises CommandUsageError for a kind that is none.
    """
    today = settings or load_settings()
    faults = [fault for fault in view_faults(warehouse, today.project_root) if fault.is_about(record_kind)]
    # A view that differs answers nothing.
    connection = warehouse.connect(application_name="omnisupport-status")
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with closing(connection), connection, connection.cursor() as cursor:
        if record_kind is not None:
            refuse_unknown_kind([kind.record_kind for kind in released_kinds(cursor)], record_kind)
        ruleset = load_ruleset(today.project_root / "contracts", record_kind)
        # Both: a build of one model alone leaves the other out.
        is_reconciled = are_built(cursor, "reconcile.reconcile_partition", "reconcile.reconcile_finding")
        day = {"day": partition, "limit": run_limit, "kind": record_kind}
        partitions = _rows(built(cursor), _PARTITIONS, day) if is_reconciled else []
        findings = _rows(built(cursor), _FINDINGS, day) if is_reconciled else []
        runs = _rows(cursor, _RUNS, day)
        state = _rows(cursor, _STATE, day)
        proofs = _rows(cursor, _PROOFS, {})
        others = {row["manifest_id"] for row in (_rows(cursor, _OTHERS, day) if record_kind else ())}
        absent = [row for row in _rows(cursor, ABSENT, {}) if row["manifest_id"] not in others]
        absent = explained(absent, words_of(today.project_root))
        drift = [
            {"record_kind": each.record_kind, **each.as_record()}
            for each in read_open_drift(cursor)
            if partition in (None, each.partition_key) and record_kind in (None, each.record_kind)
        ]
        ties = [
            {"record_kind": each.record_kind, **each.as_record()}
            for each in read_ties(cursor, record_kind, None if partition is None else [partition])
        ]
        links = [
            {"record_kind": each.record_kind, **each.as_record(), "detail": each.line}
            for each in read_missing_links(cursor, record_kind, None if partition is None else [partition])
        ]
        is_everything_bent = any(fault.record_kind is None for fault in faults)
        bent = {fault.record_kind for fault in faults}
        shown = [
            {name: json_value(value) for name, value in row.items()}
            for row in ([] if is_everything_bent else read_shown(cursor, partition, record_kind))
            if row["record_kind"] not in bent
        ]
        holds = _rows(cursor, _HOLDS, day)
        files = _rows(cursor, _FILES, day) if partition else []
        nearest = _nearest(cursor, partition, record_kind) if partition and not partitions else []
        found = diagnose(Asked(World(today, cursor, ruleset), partition, faults, settings is not None, record_kind))
        known = known_kinds(cursor)
    of_day = [row for row in findings if partition is None or row["partition_key"] == str(partition)]
    days = states_of_days(
        partitions, None if is_everything_bent else shown, of_day, holds, blind=[kind for kind in bent if kind]
    )
    kinds = known.union(each.record_kind for each in days)
    for row in (*partitions, *shown):
        row["obstacles"] = told(row["obstacles"], _partition(row), kinds)
    return Status(
        days=days,
        partitions=partitions,
        runs=runs,
        state=state,
        proofs=proofs,
        absent_assets=absent,
        findings=findings[:_FINDINGS_TOLD],
        drift=drift,
        ties=ties,
        links=links,
        readers=[row for row in shown if partition or row["is_held"] or not row["is_ready"]],
        holds=holds,
        files=files,
        view_faults=[fault.sentence for fault in faults],
        is_reconciled=is_reconciled,
        nearest=nearest,
        open_answers=[step.answer for step in found.steps if not step.is_in_order],
        next_command=found.next_command,
        notices=found.notices,
        kinds=sorted(kinds),
        record_kind=record_kind,
        blind_kinds=sorted(kinds if is_everything_bent else {kind for kind in bent if kind}),
    )


def _partition(row: Mapping[str, Any]) -> Partition:
    return Partition(row["record_kind"], date.fromisoformat(row["partition_key"]))


def _nearest(cursor: Any, partition: date, record_kind: str | None) -> list[str]:
    cursor.execute(
        "select max(partition_key) filter (where partition_key < %(day)s)::text,"
        " min(partition_key) filter (where partition_key > %(day)s)::text"
        " from ops.asset_partition inner join ops.source_asset using (asset_id)"
        " where %(kind)s::text is null or record_kind = %(kind)s",
        {"day": partition, "kind": record_kind},
    )
    return [day for day in cursor.fetchone() if day]


def _rows(cursor: Any, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{name: json_value(value) for name, value in row.items()} for row in fetch_rows(cursor, query, parameters)]
