"""Evidence: what the database said about a run, kept as files that a person and a program can read."""

from __future__ import annotations

from loader.evidence.facts import AssetFacts, Finding, PartitionFacts, RunFacts, read_facts
from loader.evidence.files import require_writable
from loader.evidence.records import Evidence, record_crashes

__all__ = [
    "AssetFacts",
    "Evidence",
    "Finding",
    "PartitionFacts",
    "RunFacts",
    "read_facts",
    "record_crashes",
    "require_writable",
]
