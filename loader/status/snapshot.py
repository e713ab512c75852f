"""The rows of a status, read in one snapshot of the warehouse as they stand; nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from loader.advice import read_shown
from loader.evidence import read_link_faults, read_open_drift, read_ties
from loader.ingest import ABSENT, explained, words_of
from loader.recovery import IS_ALIVE
from loader.release import ViewFault
from loader.warehouse import are_built, built, json_row, json_rows

_PARTITIONS = """
select part.record_kind, part.partition_key, indexed.expected_count, part.declared_line_count,
    part.line_count, part.landed_count,
    part.duplicate_count,
    part.rejected_count, part.out_of_partition_count, part.gap_count,
    part.withheld_asset_count, part.missing_asset_count, part.not_read_asset_count,
    part.event_count, part.superseded_count, part.collided_count, part.retired_count, part.pending_count,
    part.moved_count, part.late_count, part.silver_row_count, part.unexplained_count, part.obstacles, part.is_complete,
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

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The day and the kind whose rows are read, None for all; and how many runs."""

    partition: date | None
    record_kind: str | None
    run_limit: int

    @property
    def parameters(self) -> Mapping[str, Any]:
        return {"day": self.partition, "kind": self.record_kind, "limit": self.run_limit}

    @property
    def days(self) -> Sequence[date] | None:
        return None if self.partition is None else [self.partition]

    def lets_in(self, record_kind: str, day: date | None) -> bool:
        return self.partition in (None, day) and self.record_kind in (None, record_kind)


@dataclass(frozen=True, slots=True)
class Blindness:
    """The kinds whose views show readers something else than what was released: what they show answers nothing."""

    is_of_everything: bool
    kinds: frozenset[str]

    @classmethod
    def of(cls, faults: Sequence[ViewFault]) -> Blindness:
        kinds = {fault.record_kind for fault in faults}
        return cls(None in kinds, frozenset(kind for kind in kinds if kind))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows as name → JSON-ready value; `shown`: what readers see of partitions whose views are as they should be."""

    is_reconciled: bool
    partitions: list[Row]
    findings: list[Row]
    runs: list[Row]
    state: list[Row]
    proofs: list[Row]
    absent_assets: list[Row]
    drift: list[Row]
    ties: list[Row]
    links: list[Row]
    shown: list[Row]
    holds: list[Row]
    files: list[Row]
    nearest: list[str]


def read_snapshot(cursor: Any, only: Narrowing, blind: Blindness, project_root: Path) -> Snapshot:
    """Read everything; `cursor` is in a transaction of one snapshot."""
    # Both: a build of one model alone leaves the other out.
    is_reconciled = are_built(cursor, "reconcile.reconcile_partition", "reconcile.reconcile_finding")
    partitions = json_rows(built(cursor), _PARTITIONS, only.parameters) if is_reconciled else []
    return Snapshot(
        is_reconciled=is_reconciled,
        partitions=partitions,
        findings=json_rows(built(cursor), _FINDINGS, only.parameters) if is_reconciled else [],
        runs=json_rows(cursor, _RUNS, only.parameters),
        state=json_rows(cursor, _STATE, only.parameters),
        proofs=json_rows(cursor, _PROOFS, {}),
        absent_assets=_absent_assets(cursor, only, project_root),
        drift=[
            {"record_kind": each.record_kind, **each.as_record()}
            for each in read_open_drift(cursor)
            if only.lets_in(each.record_kind, each.partition_key)
        ],
        ties=[
            {"record_kind": each.record_kind, **each.as_record()}
            for each in read_ties(cursor, only.record_kind, only.days)
        ],
        links=[
            {"record_kind": each.record_kind, **each.as_record(), "detail": each.line}
            for each in read_link_faults(cursor, only.record_kind, only.days)
        ],
        shown=_shown(cursor, only, blind),
        holds=json_rows(cursor, _HOLDS, only.parameters),
        files=json_rows(cursor, _FILES, only.parameters) if only.partition else [],
        nearest=_nearest(cursor, only) if only.partition and not partitions else [],
    )


def _absent_assets(cursor: Any, only: Narrowing, project_root: Path) -> list[Row]:
    others = {row["manifest_id"] for row in (json_rows(cursor, _OTHERS, only.parameters) if only.record_kind else ())}
    absent = [row for row in json_rows(cursor, ABSENT, {}) if row["manifest_id"] not in others]
    return explained(absent, words_of(project_root))


def _shown(cursor: Any, only: Narrowing, blind: Blindness) -> list[Row]:
    rows = [] if blind.is_of_everything else read_shown(cursor, only.partition, only.record_kind)
    return [json_row(row) for row in rows if row["record_kind"] not in blind.kinds]


def _nearest(cursor: Any, only: Narrowing) -> list[str]:
    """The days before and after that have lines."""
    cursor.execute(
        "select max(partition_key) filter (where partition_key < %(day)s)::text,"
        " min(partition_key) filter (where partition_key > %(day)s)::text"
        " from ops.asset_partition inner join ops.source_asset using (asset_id)"
        " where %(kind)s::text is null or record_kind = %(kind)s",
        only.parameters,
    )
    return [day for day in cursor.fetchone() if day]
