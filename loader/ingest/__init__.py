"""The ingest command: what it is asked, what it reads, how it runs, how it is judged."""

from __future__ import annotations

from loader.ingest.request import DeclaredInput, IngestRequest, declared_input
from loader.ingest.run import KindRun, ingest, ingest_kinds, worst_exit_code
from loader.ingest.verdict import Verdict

__all__ = [
    "DeclaredInput",
    "IngestRequest",
    "KindRun",
    "Verdict",
    "declared_input",
    "ingest",
    "ingest_kinds",
    "worst_exit_code",
]
