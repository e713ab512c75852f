"""A recovery plan: what a verb would do, on which facts that rests, as JSON that a person reads before it is applied.

Layout: `<reports>/<mode>/<mode>_plan_<what>.json`, of a kind that is not the default one below `<mode>/<kind>/`; schema
contracts/recovery/recovery_plan_v1.schema.json.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from loader import plans
from loader.config import Settings
from loader.kinds import Kind
from loader.runs import acting_operator

SCHEMA_VERSION = "recovery_plan_v1"
Verb = Literal["retry", "rerun", "replay", "backfill", "restore", "expire"]
VERBS: tuple[str, ...] = get_args(Verb)
GapReason = Literal[
    "source_changed", "missing_partition", "partial_partition", "output_lag", "rejected_only", "no_gap_detected"
]
# Reasons for which a backfill has something to do.
DUE = ("source_changed", "missing_partition", "partial_partition", "output_lag")


@dataclass(frozen=True, slots=True)
class PartitionState:
    """A partition as the asset index and the warehouse know it; nothing is scanned.

    `expected_input_count`: lines of kind record in the index, under each asset's latest ruleset;
    `current_input_count`: those of them whose events are taken; `current_output_count`: rows of the kind's model
    of Silver, as the last reconcile counted them.
    """

    record_kind: str
    partition_key: str
    expected_input_count: int
    rejected_count: int
    current_input_count: int
    current_output_count: int
    asset_count: int
    gap_reason: GapReason

    @property
    def is_due(self) -> bool:
        return self.gap_reason in DUE


@dataclass(frozen=True, slots=True)
class PlannedAsset:
    """A declared asset and where its bytes will come from: source (gated again), raw_zone, or nowhere.

    `source_fingerprint`: as registered, None when it never was; `found`: the same, or for a verb that reads sources
    what stands there now (another SHA-256, or a reason code). Between `first_partition` and `last_partition` lie all of
    its lines that have a day; both None where none has, or where that is not known. `unindexed_days`: records and
    rejects by day, of an asset that was read for the plan because no run has indexed it.
    """

    manifest_id: str
    source_id: str
    asset_id: int | None
    source_fingerprint: str | None
    found: str | None
    size_bytes: int | None
    reads_from: Literal["source", "raw_zone", "nowhere"]
    first_partition: str | None = None
    last_partition: str | None = None
    unindexed_days: Mapping[str, tuple[int, int]] | None = None


@dataclass(frozen=True, slots=True)
class PlannedPointer:
    """What a partition would show: the release now, the release then (0: none), that version's rows and their digest;
    `is_linked`: it must go back with another that shares a moved record."""

    record_kind: str
    partition_key: str
    shown_release_id: int
    target_release_id: int
    record_count: int
    record_digest: str
    is_linked: bool


@dataclass(frozen=True, slots=True)
class PlannedVersion:
    """A version of a partition that would be removed: its rows and their digest, and when readers last saw it."""

    record_kind: str
    partition_key: str
    data_release_id: int
    record_count: int
    record_digest: str
    left_at: str


@dataclass(frozen=True, slots=True)
class Plan:
    """See the schema for every field. `request` holds the verb's own arguments: the same plan can be made again."""

    mode: Verb
    request: Mapping[str, Any]
    ruleset_sha256: str
    partitions: tuple[PartitionState, ...]
    proposed_action: str
    idempotency_guard: str
    downstream_impact: str
    last_run: Mapping[str, Any] | None
    window: tuple[date, date] | None = None
    run: Mapping[str, Any] | None = None
    batch_id: str = ""
    manifests: tuple[Mapping[str, Any], ...] = ()
    assets: tuple[PlannedAsset, ...] = ()
    pointers: tuple[PlannedPointer, ...] = ()
    versions: tuple[PlannedVersion, ...] = ()
    # For a plan that lands: what its records are, and what its run brings up to date.
    kind: Kind | None = None
    target_assets: tuple[str, ...] = ()
    plan_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    operator: str = field(default_factory=acting_operator)

    @property
    def gap_reason(self) -> GapReason:
        """The gravest of the partitions'; where no line of any is known, all of them are missing."""
        found = {partition.gap_reason for partition in self.partitions}
        if not found:
            return "no_gap_detected" if self.mode == "expire" else "missing_partition"
        return next(reason for reason in get_args(GapReason) if reason in found)

    @property
    def slug(self) -> str:
        """What the plan is of, in its file's name. One of what readers see has its number there, too: nobody else's
        takes its place between review and apply."""
        of_whom = str(self.run["run_id"]) if self.run else self.batch_id
        days = ""
        if self.window is not None:
            start, end = self.window
            last = date.fromordinal(end.toordinal() - 1)
            days = start.isoformat() if last == start else f"{start}_{last}"
        if self.mode in ("restore", "expire"):
            return f"{days or 'all'}_{self.plan_id[:8]}"
        if self.mode == "backfill":
            return days or of_whom or "all"
        return f"{of_whom}_{days}" if days else of_whom or "all"

    def report_path(self, settings: Settings) -> Path:
        folder = "" if self.kind is None else self.kind.folder
        return settings.report_dir / self.mode / folder / f"{self.mode}_plan_{self.slug}.json"

    def as_record(self, settings: Settings) -> dict[str, Any]:
        """The plan as JSON-ready values."""
        path = self.report_path(settings)
        start, end = self.window or (None, None)
        is_one_day = start is not None and end is not None and end.toordinal() - start.toordinal() == 1
        return {
            "plan_schema_version": SCHEMA_VERSION,
            "plan_id": self.plan_id,
            "mode": self.mode,
            "request": dict(self.request),
            **({} if self.kind is None else {"record_kind": self.kind.name}),
            "operator": self.operator,
            "timestamp": self.timestamp,
            "partition_key": start.isoformat() if start and is_one_day else None,
            "window_start": start.isoformat() if start else None,
            "window_end": end.isoformat() if end else None,
            "run": None if self.run is None else dict(self.run),
            "batch_id": self.batch_id,
            "upstream_manifest_id": ",".join(manifest["manifest_id"] for manifest in self.manifests),
            "manifests": [dict(manifest) for manifest in self.manifests],
            "ruleset_sha256": self.ruleset_sha256,
            "expected_input_count": sum(partition.expected_input_count for partition in self.partitions),
            "current_output_count": sum(partition.current_output_count for partition in self.partitions),
            "gap_reason": self.gap_reason,
            "partitions": [_as_dict(partition) for partition in self.partitions],
            "assets": [_as_dict(asset) for asset in self.assets],
            "proposed_action": self.proposed_action,
            "idempotency_guard": self.idempotency_guard,
            "downstream_impact": self.downstream_impact,
            "pointers": [_as_dict(pointer) for pointer in self.pointers],
            "versions": [_as_dict(version) for version in self.versions],
            "target_assets": list(self._writes()),
            "last_run": None if self.last_run is None else dict(self.last_run),
            "report_path": settings.named(path),
        }

    def _writes(self) -> tuple[str, ...]:
        landing = None if self.kind is None else self.kind.landing
        return self.target_assets if landing is None else landing.target_assets


def read_plan(settings: Settings, typed: Path) -> dict[str, Any]:
    """The record of a plan file, or of the plan whose id begins with `typed`; errors as plans.read_plan."""
    schemas = {SCHEMA_VERSION: f"recovery/{SCHEMA_VERSION}.schema.json"}
    return plans.read_plan(settings, typed, VERBS, schemas, "loader plan --help")


def _as_dict(item: Any) -> dict[str, Any]:
    return {each.name: getattr(item, each.name) for each in fields(item)}
