"""Evidence: what the database said about a run, kept as files that a person and a program can read."""

from __future__ import annotations

from loader.evidence.drift import Drift, read_open_drift
from loader.evidence.facts import AssetFacts, Finding, PartitionFacts, RunFacts, read_facts
from loader.evidence.files import require_writable
from loader.evidence.records import Evidence, record_crashes

__all__ = [
    "AssetFacts",
    "Drift",
    "Evidence",
    "Finding",
    "PartitionFacts",
    "RunFacts",
    "read_facts",
    "read_open_drift",
    "record_crashes",
    "require_writable",
]
