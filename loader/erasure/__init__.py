"""The erasure of one person from every kind: planned, applied in one transaction, and searched for afterwards."""

from __future__ import annotations

from loader.erasure.erasure_plan import ErasurePlan, read_erasure_plan
from loader.erasure.verb import Erased, erase, plan_erasure

__all__ = ["Erased", "ErasurePlan", "erase", "plan_erasure", "read_erasure_plan"]
