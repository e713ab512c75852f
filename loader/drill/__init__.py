"""The drill: known incidents, made on purpose where they can harm nothing, and each recovered with the right verb."""

from __future__ import annotations

from loader.drill.incident import DrillOutcome
from loader.drill.incidents import run_drill

__all__ = ["DrillOutcome", "run_drill"]
