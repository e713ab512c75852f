"""Files that no run has indexed, counted by day for a plan, here or in processes beside this one."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from loader.errors import InfrastructureError, RefusedError
from loader.kinds import Ruleset, load_ruleset
from loader.recovery import counting
from loader.recovery.counting import counted_days
from loader.recovery.sources import Source
from tests.checkouts import ROOT
from tests.ingests import ticket, write_export

CONTRACTS = ROOT / "contracts"
DAYS = [date(2026, 4, 15), date(2026, 4, 16), date(2026, 4, 17)]


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return load_ruleset(CONTRACTS)


@pytest.fixture
def sources(tmp_path: Path) -> list[Source]:
    """File n has n + 1 records of day n, a reject of it, one of no day, and a blank line. The last file is gone."""
    for place, day in enumerate(DAYS):
        records = [ticket(number, created_at=f"{day}T08:00:00Z") for number in range(place + 1)]
        refused = ticket(90, created_at=f"{day}T08:00:00Z", status="???")
        write_export(tmp_path / f"{place}.jsonl", [*records, refused, b"{broken", b""])
    return [Source(f"{place}.jsonl", (tmp_path,), (tmp_path,)) for place in range(len(DAYS) + 1)]


EXPECTED = [{day: (place + 1, 1)} for place, day in enumerate(DAYS)] + [{}]


@pytest.mark.parametrize("shared_from", [0, 2**40])
def test_every_file_by_day(
    shared_from: int, sources: list[Source], ruleset: Ruleset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "SHARED_FROM", shared_from)
    assert counted_days(sources, ruleset, CONTRACTS, 2) == EXPECTED


def test_a_contract_that_changed_meanwhile(
    sources: list[Source], ruleset: Ruleset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "SHARED_FROM", 0)
    with pytest.raises(RefusedError, match="the contract changed"):
        counted_days(sources, replace(ruleset, sha256="0" * 64), CONTRACTS, 2)


def test_a_process_that_is_killed(sources: list[Source], ruleset: Ruleset, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(counting.Companion):
        def __init__(self, *arguments: object) -> None:
            super().__init__(counting.serve)
            os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setattr(counting, "SHARED_FROM", 0)
    monkeypatch.setattr(counting, "Companion", Killed)
    with pytest.raises(InfrastructureError, match="ended by itself"):
        counted_days(sources, ruleset, CONTRACTS, 2)
