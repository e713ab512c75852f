"""Runs: their anchors, the lock that fences them, their ledger, and the repair of what dead ones left."""

from __future__ import annotations

from loader.runs.anchors import Attempt, new_run_id, trace_id_of_caller
from loader.runs.ledger import AssetAction, Job, Ledger
from loader.runs.lock import IngestLock
from loader.runs.repair import Repair, drop_working_state, repair, take_back

__all__ = [
    "AssetAction",
    "Attempt",
    "IngestLock",
    "Job",
    "Ledger",
    "Repair",
    "drop_working_state",
    "new_run_id",
    "repair",
    "take_back",
    "trace_id_of_caller",
]
