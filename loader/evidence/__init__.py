"""Evidence: what the database said about a run, kept as files that a person and a program can read."""

from __future__ import annotations

from loader.evidence.attempts import record_crashes
from loader.evidence.drift import Drift, read_open_drift
from loader.evidence.facts import AssetFacts, Finding, PartitionFacts, RunFacts, read_facts
from loader.evidence.links import MissingLink, in_short, read_missing_links
from loader.evidence.ties import Tie, files_of, read_ties

__all__ = [
    "AssetFacts",
    "Drift",
    "Finding",
    "MissingLink",
    "PartitionFacts",
    "RunFacts",
    "Tie",
    "files_of",
    "in_short",
    "read_facts",
    "read_missing_links",
    "read_open_drift",
    "read_ties",
    "record_crashes",
]
