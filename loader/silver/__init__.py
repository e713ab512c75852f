"""Silver, reconcile and their tests: one door to dbt."""

from __future__ import annotations

from loader.silver.checks import (
    CHECKS_FILE,
    LOOK_AT_WHAT_IS_OFF,
    checks_of_reconcile,
    left_out,
    project_sha256,
    require_whole,
    write_checks,
)
from loader.silver.dbt import parse_project, run_dbt, start_dbt
from loader.silver.proof import PROVING_BUILD, ProofScope, Proved, choose_scope, judge_build, prove, unwatched_table
from loader.silver.proof_record import record_proof
from loader.silver.results import BuildResult, NodeResult, proved_in_words

__all__ = [
    "CHECKS_FILE",
    "LOOK_AT_WHAT_IS_OFF",
    "PROVING_BUILD",
    "BuildResult",
    "NodeResult",
    "ProofScope",
    "Proved",
    "checks_of_reconcile",
    "choose_scope",
    "judge_build",
    "left_out",
    "parse_project",
    "project_sha256",
    "prove",
    "proved_in_words",
    "record_proof",
    "require_whole",
    "run_dbt",
    "start_dbt",
    "unwatched_table",
    "write_checks",
]
