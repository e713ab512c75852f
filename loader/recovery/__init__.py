"""The five recovery verbs: each is planned, reviewed, and applied while the world is still the planned one."""

from __future__ import annotations

from loader.recovery.apply import apply_plan, make_plan
from loader.recovery.plan import VERBS, Plan, read_plan

__all__ = ["VERBS", "Plan", "apply_plan", "make_plan", "read_plan"]
