"""Evidence: what the database said about a run, kept as files that a person and a program can read."""

from __future__ import annotations

from loader.evidence import acts, journal
from loader.evidence.acts import record_act
from loader.evidence.asset_facts import reject_in_words
from loader.evidence.attempts import place_of, record_crashes, state_record
from loader.evidence.chain import append, write_files
from loader.evidence.drift import MISSING_DAY, Drift, read_open_drift
from loader.evidence.findings import (
    LINK_MISSING,
    Finding,
    LinkFault,
    Tie,
    files_of,
    in_short,
    read_findings,
    read_link_faults,
    read_ties,
)
from loader.evidence.history import Event, History, read_history
from loader.evidence.journal import note_restoration
from loader.evidence.run_facts import FATES, PartitionFacts, RunFacts, read_facts, read_run

__all__ = [
    "FATES",
    "LINK_MISSING",
    "MISSING_DAY",
    "Drift",
    "Event",
    "Finding",
    "History",
    "LinkFault",
    "PartitionFacts",
    "RunFacts",
    "Tie",
    "acts",
    "append",
    "files_of",
    "in_short",
    "journal",
    "note_restoration",
    "place_of",
    "read_facts",
    "read_findings",
    "read_history",
    "read_link_faults",
    "read_open_drift",
    "read_run",
    "read_ties",
    "record_act",
    "record_crashes",
    "reject_in_words",
    "state_record",
    "write_files",
]
