"""The five recovery verbs: each is planned, reviewed, and applied while the world is still the planned one."""

from __future__ import annotations

from loader.recovery.apply import apply_plan, kinds_of, make_plan
from loader.recovery.damage import COLLISION, LANDED_TABLES, LISTING_CHECKS, damaged_runs, runs_of_assets
from loader.recovery.plan import VERBS, PartitionState, Plan, PlannedAsset, read_plan
from loader.recovery.unasked import never_asked
from loader.recovery.verbs import Expired, Restored
from loader.recovery.world import IS_ALIVE, World, looking_at

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
    "damaged_runs",
    "kinds_of",
    "looking_at",
    "make_plan",
    "never_asked",
    "read_plan",
    "runs_of_assets",
]
