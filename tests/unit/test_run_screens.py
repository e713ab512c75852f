"""What ingest, ready, hold, release and diagnose show: the answer first, in words, at the width there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from loader.advice import AnsweredQuestion
from loader.cli.ingest_screen import failed_lines, found_lines, record_lines
from loader.cli.look_commands import diagnose_lines
from loader.cli.release_screen import held_lines, ready_lines, released_lines
from loader.evidence.asset_facts import AssetFacts
from loader.evidence.findings import Finding, LinkFault, in_short
from loader.evidence.run_facts import FATES, PartitionFacts, RunFacts
from loader.ingest import Verdict
from loader.ingest.problems import Problem
from loader.obstacles import Code, Obstacle
from loader.partition import Partition
from loader.release import Published
from loader.release.by_hand import Held
from loader.release.groups import Decision, KeptBack
from loader.release.ready import Readiness
from loader.screen import Screen
from loader.screen.text import cells
from loader.silver import ProofScope
from tests.unit.test_status_screen import proved

DAY, NEXT = date(2026, 4, 17), date(2026, 4, 18)
PART, AFTER = (Partition("ticket_v1", day) for day in (DAY, NEXT))
KINDS = frozenset({"ticket_v1"})
DRIFTS = KeptBack(PART, Obstacle(Code.DRIFT, names=("drift_volume of tickets",)))
RUN = "01a20487-27bf-7d6f-88b2-ba02718ad2c7"
EVIDENCE = f"reports/run_evidence/_run/{RUN}.1.json"
ASSET = AssetFacts("m", "t.jsonl", 1, "f", "parsed", "accept", (), 161, 2, True, False, True, True)


def fates(**counts: int) -> dict[str, int]:
    return {fate: counts.get(fate, 0) for fate in FATES}


def of_day(day: date, **counts: int) -> PartitionFacts:
    row = {**proved(day.isoformat(), **counts), "partition_key": day}
    return PartitionFacts(day, fates(**{name: counts.get(name, 0) for name in FATES}), (), row)


def published(number: int | None, decisions: tuple[Decision, ...], **others: Any) -> Published:
    return Published(number, decisions, **{"kinds": KINDS, **others})


def verdict(facts: dict[str, Any], **others: Any) -> Verdict:
    run = {"run_id": RUN, "attempt": 1, "record_kind": "ticket_v1"}
    known = {
        "status": "success",
        "exit_code": 0,
        "problems": (),
        "reason_codes": (),
        "facts": RunFacts(run=run, **{"assets": (ASSET,), "total": 8_244, "inserted": 156, "skipped": 7_959, **facts}),
        "proof": ProofScope("all", "nothing has been proved yet", ""),
        "release": published(1, (Decision((PART,), ()),), current=frozenset({PART})),
    }
    return Verdict(**{**known, **others})


SAMPLE = of_day(DAY, line=163, landed=156, duplicate=5, rejected=2, event=156, superseded=109, silver_row=47)


def test_the_day_that_was_asked_for_comes_first() -> None:
    """Prevents the totals of all files before the answer, tabs, and `True`."""
    found = verdict(
        {
            "partitions": (SAMPLE,),
            "outside_window": fates(out_of_partition=7_954, rejected=67),
            "unassigned": fates(rejected=17),
            "warnings": {"resolved_before_created": 1},
            "warning_examples": {"resolved_before_created": "TKT-20260417-000031"},
            "invalid": 86,
        }
    )
    assert [*found_lines(Screen(80), found), *record_lines(Screen(80), found, EVIDENCE)] == [
        "2026-04-17 is complete and released.",
        "  163 lines = 156 landed + 5 duplicates + 2 rejected",
        "  156 events → 47 tickets, 109 older versions kept; nothing unexplained",
        "  1 warning: resolved_before_created (TKT-20260417-000031)",
        "Other days of these files: 8,021 lines (67 rejected, 7,954 not asked for).",
        "Without a day that can be read: 17 rejected lines.",
        "",
        "run 01a20487-27bf: 8,244 lines, 156 inserted, 7,959 skipped, 86 invalid,",
        "  0 errors",
        f"evidence: {EVIDENCE}",
        "release 1: 1 day   decision: proceed",
    ]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        (
            {"release": None},
            "2026-04-17 is kept back: readers do not see its newest rows (proved, and not released yet).",
        ),
        (
            {"release": published(None, (Decision((PART,), (DRIFTS,)),))},
            "2026-04-17 is kept back: readers do not see its newest rows (drift to review: drift_volume of tickets).",
        ),
        (
            {
                "release": published(
                    None, (Decision((PART,), (KeptBack(PART, Obstacle(Code.HELD)),)),), held=frozenset({PART})
                )
            },
            "2026-04-17 is held: readers see it as it was (held).",
        ),
    ],
)  # fmt: skip
def test_a_day_that_readers_do_not_see_as_proved_says_why(others: dict[str, Any], expected: str) -> None:
    assert found_lines(Screen(140), verdict({"partitions": (SAMPLE,)}, **others))[0] == expected


def test_of_many_days_the_lines_are_summed_and_those_that_need_a_look_are_named() -> None:
    days = tuple(of_day(date(2026, 4, day), line=10, landed=9, rejected=1) for day in range(1, 31))
    finding = Finding("silver.ticket_fact", "record_missing", date(2026, 4, 9), None, 1, "TKT-1")
    found = verdict(
        {"partitions": days, "findings": (finding,)},
        release=published(
            2, (), current=frozenset(PART._replace(day=day.partition_key) for day in days if day.partition_key.day != 9)
        ),
    )
    assert found_lines(Screen(80), found) == [
        "300 lines = 270 landed + 30 rejected",
        "damaged    2026-04-09   record_missing in silver.ticket_fact",
        "released   29 days      2026-04-01 … 2026-04-30",
    ]


def test_what_failed_is_told_where_failures_go_and_nothing_that_was_loaded_is_claimed() -> None:
    sentence = "/data/.cache is hidden below the allowed root /data"
    gone = Problem(
        "asset_withheld", "message", "path_outside_roots", sentence, "t.jsonl", "LOADER_ALLOWED_ROOTS allows it"
    )
    found = verdict({"total": 0}, problems=(gone,), exit_code=1, release=None)
    assert found_lines(Screen(80), found) == ["Nothing was loaded."]
    assert failed_lines(Screen(80), found)[0] == "1 of 1 file was not admitted, for one reason:"
    assert record_lines(Screen(80), found, EVIDENCE)[-1] == "decision: hold_downstream"


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_of_a_run_is_wider_than_the_screen(width: int) -> None:
    found = verdict({"partitions": (SAMPLE,), "outside_window": fates(out_of_partition=7_954)})
    lines = [*found_lines(Screen(width), found), *record_lines(Screen(width), found, EVIDENCE)]
    assert [line for line in lines if cells(line) > width] == ([f"  {EVIDENCE}"] if width == 60 else [])


def ready(day: date, reason: str | None = None, release: int | None = 1, is_held: bool = False) -> dict[str, Any]:
    return {
        "record_kind": "ticket_v1",
        "partition_key": day.isoformat(),
        "is_ready": reason is None,
        "data_release_id": release,
        "is_held": is_held,
        "reason": reason,
    }


def test_ready_answers_and_names_what_is_not() -> None:
    screen = Screen(80)
    assert ready_lines(screen, Readiness([ready(DAY)], (), KINDS)) == [
        "2026-04-17 is ready.",
        "  ready   2026-04-17   release 1",
    ]
    found = [ready(DAY, is_held=True), ready(NEXT, "no line of it is known", None)]
    assert ready_lines(screen, Readiness(found, (), KINDS)) == [
        "1 of 2 days is not ready.",
        "  not ready   2026-04-18               no line of it is known",
        "  ready       2026-04-17   release 1   held",
    ]


def test_ready_says_what_records_name_in_vain() -> None:
    """Prevents a reader who learns from nobody that comments of a day are on tickets that are not there."""
    comments = {**ready(DAY), "record_kind": "ticket_comment_v1"}
    told = ("ticket_id", "ticket_v1", False, 12, 2, ["TKT-1", "TKT-2"])
    link = LinkFault("ticket_comment_v1", DAY, "link_missing", *told)
    both = KINDS | {"ticket_comment_v1"}
    assert link.line == "12 records name 2 of ticket_v1 that are not there (TKT-1, TKT-2)"
    late = replace(link, fault="segment_misplaced", key_count=3)
    assert late.line == "12 segments overlap, run backwards or end late in 3 of ticket_v1 (TKT-1, TKT-2, 1 more)"
    assert in_short([link, late]) == [f"link_missing: {link.line}", f"segment_misplaced: {late.line}"]
    both_days = [late, replace(late, partition_key=DAY + timedelta(days=1))]
    assert in_short(both_days) == ["segment_misplaced: 24 segments of ticket_v1, on 2 days"]
    lines = ready_lines(Screen(140), Readiness([comments, ready(DAY)], (link,), both))
    assert lines == [
        "All 2 partitions are ready.",
        f"  ready   2026-04-17 of ticket_comment_v1   release 1   link_missing: {link.line}",
        "  ready   2026-04-17 of ticket_v1           release 1",
    ]
    held = ready_lines(Screen(140), Readiness([{**comments, "is_held": True}], (link,), both))
    assert "release 1   held; link_missing: 12 records" in held[1]


def test_hold_and_release_say_what_readers_see_now() -> None:
    screen = Screen(80)
    hold = {
        "record_kind": "ticket_v1",
        "partition_key": NEXT,
        "operator": "ann",
        "reason": "month end",
        "is_known": False,
    }
    assert held_lines(screen, Held((PART, AFTER), (hold,), KINDS), "audit", "make release PARTITION=2026-04-17") == [
        "2 days (2026-04-17 … 2026-04-18) are held: readers see what they see now,",
        "whatever runs.",
        "  2026-04-18   held already by ann, whose reason stays: month end",
        "  2026-04-18   no line of it is known yet",
        "next: make release PARTITION=2026-04-17",
    ]
    both = (PART, PART._replace(record_kind="note_v1"))
    of_two_kinds = held_lines(screen, Held(both, (), frozenset({"ticket_v1", "note_v1"})), "audit", "make status")
    assert " ".join(of_two_kinds).startswith("2026-04-17 of ticket_v1 and 2026-04-17 of note_v1 are held: readers")
    found = published(3, (Decision((PART,), ()),), hold_changes=(1,), acceptances=(1, 2))
    assert released_lines(screen, found, "reports/release/3.json", "make ready PARTITION=2026-04-17") == [
        "Readers see 2026-04-17 as proved now (release 3).",
        "  1 hold ended, 2 findings let pass",
        "evidence: reports/release/3.json",
        "next: make ready PARTITION=2026-04-17",
    ]
    for decisions in ((), (Decision((PART,), ()),)):
        assert released_lines(screen, published(None, decisions), None, "make status") == [
            "Nothing to release: readers see it as it is proved.",
            "next: make status",
        ]


def test_the_triage_is_numbered_and_its_answers_are_aligned() -> None:
    steps = [
        AnsweredQuestion("which manifest?", "3 registered, all 61 files admitted", True),
        AnsweredQuestion(
            "what is wrong?", "2026-04-17: silver.ticket_fact lacks TKT-20260417-000001, and a second row too", False
        ),
        AnsweredQuestion("which run?", "ingest 019d9e69 failed its checks: 1 file is missing", True, is_noted=True),
    ]
    assert diagnose_lines(Screen(80), steps, "make build PARTITION=2026-04-17") == [
        "1   which manifest?   ok   3 registered, all 61 files admitted",
        "2   what is wrong?    ✗    needs you: 2026-04-17: silver.ticket_fact lacks",
        "                           TKT-20260417-000001, and a second row too",
        "3   which run?        ·    ingest 019d9e69 failed its checks: 1 file is missing",
        "next: make build PARTITION=2026-04-17",
    ]
