"""The ingest command: what it is asked, what it reads, how it runs, how it is judged."""

from __future__ import annotations

from loader.ingest.forecast import AssetForecast, Forecast
from loader.ingest.problems import ABSENT, Problem, Words, explained, of_asset, words_of
from loader.ingest.request import (
    DeclaredInput,
    IngestRequest,
    Task,
    Workplace,
    by_kind,
    content_of_manifest,
    declared_input,
)
from loader.ingest.run import KindRun, ingest, ingest_kinds, worst_exit_code
from loader.ingest.verdict import Verdict

__all__ = [
    "ABSENT",
    "AssetForecast",
    "DeclaredInput",
    "Forecast",
    "IngestRequest",
    "KindRun",
    "Problem",
    "Task",
    "Verdict",
    "Words",
    "Workplace",
    "by_kind",
    "content_of_manifest",
    "declared_input",
    "explained",
    "ingest",
    "ingest_kinds",
    "of_asset",
    "words_of",
    "worst_exit_code",
]
