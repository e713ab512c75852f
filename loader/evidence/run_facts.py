"""What the database says about one attempt, read after reconcile; nothing here comes from the loader's counters."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from loader.evidence.asset_facts import AssetFacts, read_assets
from loader.evidence.drift import Drift, read_open_drift
from loader.evidence.findings import (
    TIE_UNORDERED,
    Finding,
    LinkFault,
    Tie,
    read_findings,
    read_link_faults,
    read_ties,
)
from loader.evidence.translations import read_translations
from loader.partition import Partition
from loader.runs import Attempt
from loader.warehouse import built, fetch_rows

FATES = ("erased", "landed", "duplicate", "rejected", "blank", "out_of_partition", "gap")


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """One partition in the attempt's window: fates of the lines of this run's assets, and its reconcile row."""

    partition_key: date
    fates: Mapping[str, int]
    fingerprints: tuple[str, ...]
    reconcile: Mapping[str, Any]

    @property
    def line_count(self) -> int:
        return sum(self.fates.values())


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Counts in lines over every admitted asset of the attempt; `inserted` and `late` in events."""

    run: Mapping[str, Any]
    total: int = 0
    valid: int = 0
    invalid: int = 0
    blank: int = 0
    inserted: int = 0
    skipped: int = 0
    errors: int = 0
    late: int = 0
    not_read: int = 0
    assets: tuple[AssetFacts, ...] = ()
    partitions: tuple[PartitionFacts, ...] = ()
    unassigned: Mapping[str, int] = field(default_factory=dict)
    outside_window: Mapping[str, int] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    drifts: tuple[Drift, ...] = ()
    ties: tuple[Tie, ...] = ()
    links: tuple[LinkFault, ...] = ()
    warnings: Mapping[str, int] = field(default_factory=dict)
    # A record of each, where warnings are of records.
    warning_examples: Mapping[str, str] = field(default_factory=dict)
    nearest_partitions: tuple[date, ...] = ()
    state: tuple[Mapping[str, Any], ...] = ()
    last_proof_of_all_at: datetime | None = None
    translations: tuple[Mapping[str, Any], ...] = ()

    @property
    def manifest_ids(self) -> tuple[str, ...]:
        return tuple(self.run["manifest_ids"])

    def of_days(self, days: Collection[date] | None = None) -> list[Partition]:
        """The run's partitions, or those of these days."""
        known = [part.partition_key for part in self.partitions] if days is None else days
        return [Partition(self.run["record_kind"], day) for day in known]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        return tuple(sorted({asset.source_fingerprint for asset in self.assets if asset.source_fingerprint}))


def read_run(cursor: Any, attempt: tuple[str, int]) -> dict[str, Any]:
    """The attempt's row of ops.ingest_run, by column name."""
    return fetch_rows(cursor, "select * from ops.ingest_run where run_id = %s and attempt = %s", attempt)[0]


def read_facts(cursor: Any, attempt: Attempt, window: tuple[date, date] | None, dataset: str) -> RunFacts:
    """Everything evidence needs about an attempt whose reconcile models are built; `dataset`: of its kind's state."""
    key = (str(attempt.run_id), attempt.number)
    run = read_run(cursor, key)
    start, end = window or (None, None)
    (counts,) = fetch_rows(built(cursor), "select * from reconcile.reconcile_run where run_id = %s", key[:1]) or ({},)
    by_day = _fates(cursor, key)
    inside = {day: fates for day, fates in by_day.items() if day and _is_inside(day, window)}
    outside = _sum(fates for day, fates in by_day.items() if day and day not in inside)
    assets = read_assets(cursor, key, start, end)
    kind = str(run["record_kind"])
    ties = read_ties(cursor, kind, list(inside))
    links = read_link_faults(cursor, kind, list(inside))
    warnings = _warnings(cursor, key)
    counted = {code: count for code, (count, _) in warnings.items()}
    counted |= {TIE_UNORDERED: sum(tie.version_count for tie in ties)} if ties else {}
    for link in links:
        counted[link.fault] = counted.get(link.fault, 0) + link.record_count
    asset_ids = {asset.asset_id for asset in assets if asset.asset_id is not None and asset.is_in_window}
    return RunFacts(
        run=run,
        **{name: int(counts.get(f"{name}_count") or 0) for name in ("total", "valid", "invalid", "blank")},
        **{
            name: int(counts.get(f"{name}_count") or 0)
            for name in ("inserted", "skipped", "errors", "late", "not_read")
        },
        assets=assets,
        partitions=_partitions(cursor, key, kind, inside),
        unassigned=by_day.get(None, {}),
        outside_window=outside,
        findings=read_findings(cursor),
        drifts=tuple(drift for drift in read_open_drift(cursor) if drift.is_about(kind, inside, asset_ids)),
        ties=ties,
        links=links,
        warnings=counted,
        warning_examples={code: example for code, (_, example) in warnings.items() if example},
        nearest_partitions=_nearest(cursor, kind, start) if start and not inside else (),
        state=tuple(fetch_rows(cursor, _STATE, (dataset,))),
        last_proof_of_all_at=_last_proof_of_all(cursor),
        translations=read_translations(cursor, run["manifest_ids"]),
    )


def _last_proof_of_all(cursor: Any) -> datetime | None:
    cursor.execute("select proved_at from ops.proof where scope = 'all' order by proof_id desc limit 1")
    proof = cursor.fetchone()
    return None if proof is None else proof[0].astimezone(UTC)


def _is_inside(day: date, window: tuple[date, date] | None) -> bool:
    return window is None or window[0] <= day < window[1]


_STATE = """
select record_source, state_kind, value_at, run_id::text from ops.ingest_state
where dataset = %s order by record_source, state_kind
"""

_RUN_ASSETS = """
select distinct asset_id from ops.run_asset
where run_id = %s and attempt = %s and asset_id is not null and action in ('parsed', 'unchanged')
"""


def _fates(cursor: Any, key: tuple[str, int]) -> dict[date | None, dict[str, int]]:
    there = built(cursor)
    there.execute(
        "select partition_key, fate, sum(line_count)::bigint from reconcile.reconcile_fate"
        f" where asset_id in ({_RUN_ASSETS}) group by partition_key, fate",
        key,
    )
    fates: dict[date | None, dict[str, int]] = {}
    for day, fate, count in there.fetchall():
        fates.setdefault(day, dict.fromkeys(FATES, 0))[fate] = count
    return fates


def _sum(groups: Any) -> dict[str, int]:
    total = dict.fromkeys(FATES, 0)
    for fates in groups:
        for fate, count in fates.items():
            total[fate] += count
    return total


_FINGERPRINTS = f"""
select part.partition_key, array_agg(distinct asset.source_fingerprint order by asset.source_fingerprint)
from ops.asset_partition as part
inner join ops.source_asset as asset on asset.asset_id = part.asset_id
where part.asset_id in ({_RUN_ASSETS})
group by part.partition_key
"""


def _partitions(
    cursor: Any, key: tuple[str, int], kind: str, inside: Mapping[date, Mapping[str, int]]
) -> tuple[PartitionFacts, ...]:
    cursor.execute(_FINGERPRINTS, key)
    fingerprints = {day: tuple(found) for day, found in cursor.fetchall()}
    rows = fetch_rows(
        built(cursor),
        "select * from reconcile.reconcile_partition where record_kind = %s and partition_key = any(%s)",
        (kind, list(inside)),
    )
    reconcile = {row["partition_key"]: row for row in rows}
    return tuple(
        PartitionFacts(day, inside[day], fingerprints.get(day, ()), reconcile.get(day, {})) for day in sorted(inside)
    )


def _warnings(cursor: Any, key: tuple[str, int]) -> dict[str, tuple[int, str | None]]:
    """Warnings on the events of the run's assets, by code, and events dated after the run; with each, the first record
    that it is about."""
    there = built(cursor)
    there.execute(
        "select code, count(*), min(event.record_key) from bronze.record_event as event"
        " inner join staging.stg_bronze__asset_line as line using (event_id, asset_id, line_number)"
        " cross join unnest(event.warning_codes) as code"
        f" where event.warning_codes <> '{{}}' and event.asset_id in ({_RUN_ASSETS}) group by code",
        key,
    )
    warnings = {str(code): (int(count), example) for code, count, example in there.fetchall()}
    cursor.execute(
        "select count(*), min(event.record_key) from bronze.record_event as event"
        " inner join ops.ingest_run as run on event._dlt_load_id = any(run.dlt_load_ids)"
        " where run.run_id = %s and run.attempt = %s and event.updated_at > run.started_at + interval '5 minutes'",
        key,
    )
    future = cursor.fetchone()
    return {**warnings, "updated_in_future": future} if future[0] else warnings


def _nearest(cursor: Any, kind: str, wanted: date) -> tuple[date, ...]:
    """The closest partition of the kind with lines before and after the wanted one."""
    cursor.execute(
        "select max(partition_key) filter (where partition_key < %(day)s),"
        " min(partition_key) filter (where partition_key > %(day)s)"
        " from ops.asset_partition inner join ops.source_asset using (asset_id) where record_kind = %(kind)s",
        {"day": wanted, "kind": kind},
    )
    return tuple(day for day in cursor.fetchone() if day is not None)
