"""The drill: known incidents, made on purpose where they can harm nothing, and each recovered with the right verb."""

from __future__ import annotations

from loader.drill.incidents import DRILLED, Outcome, run_drill

__all__ = ["DRILLED", "Outcome", "run_drill"]
