"""Silver, reconcile and their tests: one door to dbt."""

from __future__ import annotations

from loader.silver.dbt import BuildResult, NodeResult, run_dbt, warm_up

__all__ = ["BuildResult", "NodeResult", "run_dbt", "warm_up"]
