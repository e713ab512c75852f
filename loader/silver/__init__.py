"""Silver, reconcile and their tests: one door to dbt."""

from __future__ import annotations

from loader.silver.checks import left_out, require_whole
from loader.silver.dbt import parse_project, run_dbt, start_dbt
from loader.silver.proof import (
    PROVING_BUILD,
    ProofScope,
    choose_scope,
    is_closed,
    project_sha256,
    record_proof,
    record_whole_build,
    unwatched_table,
)
from loader.silver.results import BuildResult, NodeResult

__all__ = [
    "PROVING_BUILD",
    "BuildResult",
    "NodeResult",
    "ProofScope",
    "choose_scope",
    "is_closed",
    "left_out",
    "parse_project",
    "project_sha256",
    "record_proof",
    "record_whole_build",
    "require_whole",
    "run_dbt",
    "start_dbt",
    "unwatched_table",
]
