"""Reports for people: is it complete, and is the set-up sound. Each as Markdown to read and as JSON to compare."""

from __future__ import annotations

from loader.reports.completeness import Completeness, partition_of, read_completeness
from loader.reports.smoke import Check, run_smoke_checks

__all__ = ["Check", "Completeness", "partition_of", "read_completeness", "run_smoke_checks"]
