"""The five recovery verbs: each is planned, reviewed, and applied while the world is still the planned one."""

from __future__ import annotations

from loader.recovery.apply import apply_plan, kinds_of, make_plan
from loader.recovery.damaged import COLLISION, LANDED_TABLES, LISTING_CHECKS, damaged_runs, runs_of_assets
from loader.recovery.gaps import nearest_partitions, never_asked, partition_states
from loader.recovery.past import IS_ALIVE, archived_bytes, entries_of_run, last_run, manifests_of_run, run_of
from loader.recovery.plan import VERBS, PartitionState, Plan, PlannedAsset, read_plan
from loader.recovery.world import Expired, Restored, World, looking_at

__all__ = [
    "COLLISION",
    "IS_ALIVE",
    "LANDED_TABLES",
    "LISTING_CHECKS",
    "VERBS",
    "Expired",
    "PartitionState",
    "Plan",
    "PlannedAsset",
    "Restored",
    "World",
    "apply_plan",
    "archived_bytes",
    "damaged_runs",
    "entries_of_run",
    "kinds_of",
    "last_run",
    "looking_at",
    "make_plan",
    "manifests_of_run",
    "nearest_partitions",
    "never_asked",
    "partition_states",
    "read_plan",
    "run_of",
    "runs_of_assets",
]
