"""Runs: their anchors, the lock that fences them, their ledger, and the repair of what dead ones left."""

from __future__ import annotations

from loader.runs.anchors import (
    Attempt,
    KnownId,
    acting_operator,
    new_run_id,
    trace_id_of_caller,
    whole_batch_id,
    whole_id,
    whole_run_id,
)
from loader.runs.facts import keep_facts, known_bounds, known_facts
from loader.runs.ledger import AssetAction, Job, Ledger
from loader.runs.lock import LOAD_SESSIONS, IngestLock, writers_at_work
from loader.runs.registry import (
    SOURCE_MISSING,
    RegisteredAsset,
    refuse_changed_manifests,
    register,
    register_ruleset,
    ruleset_in_effect,
)
from loader.runs.repair import STAGING_PREFIX, drop_working_state, repair, take_back
from loader.runs.state import FUTURE_TOLERANCE, StateObject, read_state, reset_state

__all__ = [
    "FUTURE_TOLERANCE",
    "LOAD_SESSIONS",
    "SOURCE_MISSING",
    "STAGING_PREFIX",
    "AssetAction",
    "Attempt",
    "IngestLock",
    "Job",
    "KnownId",
    "Ledger",
    "RegisteredAsset",
    "StateObject",
    "acting_operator",
    "drop_working_state",
    "keep_facts",
    "known_bounds",
    "known_facts",
    "new_run_id",
    "read_state",
    "refuse_changed_manifests",
    "register",
    "register_ruleset",
    "repair",
    "reset_state",
    "ruleset_in_effect",
    "take_back",
    "trace_id_of_caller",
    "whole_batch_id",
    "whole_id",
    "whole_run_id",
    "writers_at_work",
]
