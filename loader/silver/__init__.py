"""Silver, reconcile and their tests: one door to dbt."""

from __future__ import annotations

from loader.silver.dbt import parse_project, run_dbt, start_dbt
from loader.silver.results import BuildResult, NodeResult

__all__ = ["BuildResult", "NodeResult", "parse_project", "run_dbt", "start_dbt"]
