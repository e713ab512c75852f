"""What a dry run foresees: values."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from loader.gate import AssetFinding
from loader.ingest.problems import (
    Problem,
)
from loader.ingest.request import IngestRequest


@dataclass(slots=True)
class AssetForecast:
    """What would become of one declared asset: its outcome (success, skip, fail), and a fate for each line; `kind`: of
    the records of which it is one, None where each of its lines is one; `found_path`: None where it may not be read."""

    manifest_id: str
    source_id: str
    outcome: str
    judgement: str
    disposition: str
    findings: tuple[AssetFinding, ...]
    kind: str | None = None
    found_path: Path | None = None
    fates: Counter[str] = field(default_factory=Counter)
    reject_reasons: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    # The first reject in words, and the first line of each reason: of a reject in words, of a warning its number.
    first_reject: str | None = None
    examples: dict[str, str] = field(default_factory=dict)
    # Lines per day, records and rejects whose day can be read.
    days: Counter[date] = field(default_factory=Counter)

    @property
    def reason_codes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.reason_code for one in self.findings))

    @property
    def rejected_count(self) -> int:
        return self.fates["rejected"]

    @property
    def record_count(self) -> int:
        return self.fates.total() - self.fates["rejected"] - self.fates["blank"] - self.fates["not_read"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """Per manifest an outcome, per asset a forecast. `is_split`: a database told known events from new ones;
    `base_folders`: real ones, in which manifests say that their files lie."""

    run_id: str
    trace_id: str
    outcomes: dict[str, str]
    assets: tuple[AssetForecast, ...]
    problems: tuple[Problem, ...]
    is_split: bool
    report_path: Path
    base_folders: frozenset[Path]

    @property
    def fates(self) -> Counter[str]:
        return sum((asset.fates for asset in self.assets), Counter())

    def roots_to_allow(self, allowed: Sequence[Path]) -> str | None:
        """LOADER_ALLOWED_ROOTS as it would admit every file that lies outside; None where none does, or where one is
        not in the folder of its manifest's files: a path that leads away from its siblings opens nothing.
        """
        folders = {problem.folder for problem in self.problems if problem.folder is not None}
        if not folders or not folders <= self.base_folders:
            return None
        return os.pathsep.join(map(str, [*allowed, *sorted(folders)]))

    def as_record(self, request: IngestRequest) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "run_id": self.run_id,
            "trace_id": self.trace_id,
            "mode": "dry_run",
            "partition_key": request.partition.isoformat() if request.partition else None,
            "downstream_decision": "dry_run_only",
            "manifests": self.outcomes,
            "fates": dict(self.fates),
            "assets": [
                {
                    "manifest_id": asset.manifest_id,
                    "source_id": asset.source_id,
                    "outcome": asset.outcome,
                    "judgement": asset.judgement,
                    "disposition": asset.disposition,
                    "reason_codes": list(asset.reason_codes),
                    "found_path": asset.found_path and str(asset.found_path),
                    "fates": dict(asset.fates),
                    "reject_reasons": dict(asset.reject_reasons),
                    "first_reject": asset.first_reject,
                    "warnings": dict(asset.warnings),
                }
                for asset in self.assets
            ],
            "problems": [problem.message for problem in self.problems],
        }
