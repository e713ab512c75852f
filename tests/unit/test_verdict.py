"""What a run says of each of its days, from what reconcile said of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from loader.cli.ingest_screen import notes
from loader.evidence.findings import Finding
from loader.ingest import KindRun, worst_exit_code
from loader.ingest.problems import words_of
from loader.ingest.verdict import Case, has_failed, judge_run
from loader.silver import BuildResult, ProofScope
from loader.silver.results import NodeResult
from tests.checkouts import ROOT
from tests.unit.test_run_screens import of_day, verdict

DAY, NEXT = date(2026, 4, 17), date(2026, 4, 18)


def test_a_day_fails_for_a_file_with_too_many_rejects_that_has_lines_of_it() -> None:
    """Prevents a day that evidence calls failed, and the gate releases, for rejects of another day's file."""
    days = (of_day(DAY, landed=9, rejected=1), of_day(NEXT, landed=99, rejected=1))
    found = verdict(
        {"partitions": days}, reason_codes=("lines_rejected", "reject_limit_exceeded"), over_limit=frozenset({DAY})
    )
    assert [found.of_partition(day) for day in days] == [
        ("failed", ("reject_limit_exceeded",)),
        ("warning", ("lines_rejected",)),
    ]


@pytest.mark.parametrize(
    ("counts", "codes", "fails"),
    [
        ({"landed": 9}, None, False),
        ({"landed": 9, "missing_asset": 1}, ("asset_missing",), False),
        ({"landed": 9, "withheld_asset": 2}, ("asset_withheld",), False),
        ({"landed": 9, "not_read_asset": 2}, (), False),
        ({"landed": 9, "unexplained": 1}, ("unexplained_gap",), True),
        ({"landed": 9, "pending": 1}, (), True),
        ({"landed": 9, "content_differs": 1}, (), True),
        ({"landed": 9, "out_of_partition": 1}, (), True),
        ({"out_of_partition": 1}, (), True),
    ],
)
def test_a_day_is_sound_where_reconcile_names_no_obstacle(
    counts: dict[str, int], codes: tuple[str, ...] | None, fails: bool
) -> None:
    """Prevents evidence of success for a day that the gate keeps back; what others owe the day stops no backfill."""
    day = of_day(DAY, **counts)
    expected: tuple[str, Any] = ("success", ()) if codes is None else ("failed", codes)
    assert (verdict({"partitions": (day,)}).of_partition(day), has_failed(day)) == (expected, fails)


def test_a_finding_of_a_day_is_damage_of_it() -> None:
    day = of_day(DAY, landed=9)
    finding = Finding("silver.ticket_fact", "record_missing", DAY, None, 1, "TKT-1")
    found = verdict({"partitions": (day,), "findings": (finding,)})
    assert found.of_partition(day) == ("failed", ("reconcile_finding",))


@pytest.mark.parametrize(("kind", "exit_code"), [("ticket_v1", 1), (None, 1), ("ticket_comment_v1", 0)])
def test_a_run_fails_for_damage_of_its_own_kind(kind: str | None, exit_code: int) -> None:
    """Prevents tickets that a scheduler takes for broken since a comment is, and damage that no run fails for."""
    finding = Finding("silver.any", "record_missing", DAY, None, 1, "1", kind)
    node = NodeResult("test.omnisupport.finding.1", "fail", 1, None, reads_findings=True)
    facts = verdict({"partitions": (of_day(DAY, landed=9),), "findings": (finding,)}).facts
    scope = ProofScope("all", "asked for", "")
    judged = judge_run(Case(facts, BuildResult("i", (node,)), scope, words_of(ROOT), reject_limit=0.05))
    assert (judged.exit_code, [problem.name for problem in judged.problems]) == (
        exit_code,
        ["2026-04-17"] * exit_code,
    )
    run = replace(judged, release=verdict({}).release)
    told = ["damage of ticket_comment_v1: 1 finding; what it is about stays as readers see it"]
    assert notes(run) == ([] if exit_code else told)
    # Its own run may have ended before the damage was found.
    others = (KindRun("ticket_comment_v1", verdict({})), KindRun("ticket_v1", run))
    assert worst_exit_code(others) == 1
