"""What status shows: the answer first, at most 20 lines below it, whatever the warehouse holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from loader.cli.status_day_screen import day_lines, whole_lines
from loader.cli.status_screen import status_lines
from loader.obstacles import Code
from loader.screen import Screen
from loader.screen.text import cells
from loader.status import Status
from loader.status.days import State, states_of_days

DAY = "2026-04-17"
RUN = "01a20487-27bf-7d6f-88b2-ba02718ad2c7"
COUNTS = (
    "expected", "line", "landed", "duplicate", "rejected", "out_of_partition", "gap", "withheld_asset", "missing_asset",
    "not_read_asset",
    "event", "superseded", "collided", "retired", "pending", "moved", "silver_row", "unexplained",
)  # fmt: skip


def proved(day: str, **counts: int) -> dict[str, Any]:
    """A row of status's partitions, complete unless a count says otherwise."""
    found = {f"{name}_count": counts.get(name, 0) for name in COUNTS}
    obstacles = [
        {"code": code, "count": counts[name]}
        for code, name in (
            (Code.UNEXPLAINED, "unexplained"),
            (Code.WITHHELD, "withheld_asset"),
            (Code.MISSING, "missing_asset"),
            (Code.NOT_READ, "not_read_asset"),
            (Code.NOT_TAKEN if counts.get("landed") else Code.UNASKED, "out_of_partition"),
            (Code.COLLIDED, "collided"),
            (Code.PENDING, "pending"),
            (Code.CONTENT_DIFFERS, "content_differs"),
        )
        if counts.get(name)
    ]
    return {
        "record_kind": "ticket_v1",
        "partition_key": day,
        **found,
        "obstacles": obstacles,
        "is_complete": not obstacles,
    }


def shown(day: str, reason: str | None = None, is_held: bool = False) -> dict[str, Any]:
    return {
        "record_kind": "ticket_v1",
        "partition_key": day,
        "data_release_id": 1,
        "released_at": "2026-04-20T20:34:00+00:00",
        "is_held": is_held,
        "is_ready": reason is None,
        "reason": reason,
        "obstacles": [] if reason is None else [{"code": Code.WAITING, "message": reason}],
    }


def finding(day: str | None, detail: str = "TKT-20260417-000001") -> dict[str, Any]:
    return {
        "table_name": "silver.ticket_fact",
        "check_name": "record_missing",
        "record_kind": "ticket_v1",
        "partition_key": day,
        "source_id": "tickets.jsonl",
        "finding_count": 1,
        "detail": detail,
    }


def status(
    partitions: Sequence[Mapping[str, Any]] = (),
    readers: Sequence[Mapping[str, Any]] = (),
    findings: Sequence[Mapping[str, Any]] = (),
    holds: Mapping[str, str] | None = None,
    **others: Any,
) -> Status:
    run = {
        "run_id": RUN, "attempt": 1, "record_kind": "ticket_v1", "mode": "ingest",
        "status": "success", "stage": "finished", "window_start": DAY,
        "window_end": "2026-04-18", "started_at": "2026-04-20T20:34:00+00:00", "seconds": 6.0, "failure": None,
    }  # fmt: skip
    held = [
        {"record_kind": "ticket_v1", "partition_key": day, "reason": why, "operator": "ann"}
        for day, why in (holds or {}).items()
    ]
    days = states_of_days(partitions, readers, findings, held)
    known: dict[str, Any] = {
        "days": days,
        "kinds": sorted({day.record_kind for day in days}),
        "blind_kinds": sorted({day.record_kind for day in days}) if others.get("view_faults") else (),
        "partitions": partitions,
        "runs": [run],
        "state": [
            {"record_source": "s", "state_kind": "cursor", "value_at": "2026-04-29T10:22:30+00:00"},
            {"record_source": "s", "state_kind": "watermark", "value_at": "2026-04-26T10:22:30+00:00"},
        ],
        "proofs": [],
        "absent_assets": [],
        "findings": findings,
        "drift": [],
        "ties": [],
        "links": [],
        "readers": [row for row in readers if row["is_held"] or not row["is_ready"]],
        "holds": held,
        "files": [],
        "view_faults": [],
        "is_reconciled": True,
        "nearest": [],
        "open_answers": [],
        "next_command": "make psql ROLE=reader   # what readers see",
        "notices": (),
    }
    return Status(**{**known, **others})


def released(first: date, count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    days = [(first + timedelta(days=place)).isoformat() for place in range(count)]
    partitions = [
        proved(day, expected=100, line=102, landed=99, duplicate=1, rejected=2, silver_row=40) for day in days
    ]
    return partitions, [shown(day) for day in days]


def test_damage_of_one_kind_is_no_damage_of_another_of_the_same_day() -> None:
    """Prevents a sound day of tickets that is called damaged since a note of that day is; what may be of any kind is of
    both."""
    note = {"record_kind": "note_v1"}
    rows = [proved(DAY, landed=1), proved(DAY, landed=1) | note]
    for found, states in (
        ([finding(DAY) | note], ["damaged", "kept back"]),
        ([finding(DAY) | {"record_kind": None}], ["damaged"] * 2),
    ):
        days = states_of_days(rows, [], found, [])
        assert [(day.record_kind, day.state) for day in days] == list(
            zip(["note_v1", "ticket_v1"], states, strict=True)
        )


@pytest.mark.parametrize(
    ("row", "reader", "found", "hold", "expected"),
    [
        (proved(DAY, landed=1), shown(DAY), [], None, ("released", "", True)),
        (proved(DAY, landed=1), shown(DAY), [finding(DAY)], "why",
         ("damaged", "record_missing in silver.ticket_fact", False)),
        (proved(DAY, landed=1), shown(DAY), [finding(None)], None, ("released", "", True)),
        (proved(DAY, landed=1, unexplained=3), shown(DAY), [], None,
         ("damaged", "nothing explains 3 of its lines and rows", False)),
        (proved(DAY, landed=1), shown(DAY, is_held=True), [], "month end", ("held", "month end", True)),
        (proved(DAY, landed=1), shown(DAY, "newer rows wait", is_held=True), [], "x", ("held", "x", False)),
        (proved(DAY, landed=1), shown(DAY, "lines landed since"), [], None, ("kept back", "lines landed since", False)),
        (proved(DAY, landed=1), None, [], None, ("kept back", "proved, and not released yet", False)),
        (proved(DAY, out_of_partition=9), None, [], None, ("not asked for", "", False)),
        (proved(DAY, out_of_partition=9, missing_asset=1), None, [], None, ("not asked for", "", False)),
        (proved(DAY, landed=5, out_of_partition=1, withheld_asset=2), shown(DAY), [], None,
         ("incomplete", "2 files are withheld, 1 line is not taken yet", True)),
        (proved(DAY, landed=5, content_differs=1), shown(DAY), [], None,
         ("incomplete", "Silver's content is not Bronze's", True)),
        (None, shown(DAY, "not released", is_held=True), [], "early", ("held", "early", False)),
    ],
)  # fmt: skip
def test_each_day_is_in_one_state(
    row: dict[str, Any] | None,
    reader: dict[str, Any] | None,
    found: list[dict[str, Any]],
    hold: str | None,
    expected: tuple[State, str, bool],
) -> None:
    """Prevents a damaged day that counts as released because it is held or waits, and an alarm over what nobody asked
    for."""
    held = [{"record_kind": "ticket_v1", "partition_key": DAY, "reason": hold}] if hold else []
    (day,) = states_of_days([row] if row else [], [reader] if reader else [], found, held)
    assert (day.partition_key, day.state, day.reason, day.is_relied_on) == (DAY, *expected)


def test_the_sample_is_answered_in_a_dozen_lines() -> None:
    partitions, readers = released(date(2026, 4, 17), 1)
    partitions += [proved(f"2026-03-{day:02}", expected=100, line=100, out_of_partition=100) for day in range(1, 32)]
    partitions += [proved(f"2026-04-{day:02}", line=100, out_of_partition=100) for day in range(1, 31) if day != 17]
    assert status_lines(Screen(80), status(partitions, readers)) == [
        "Readers may rely on 2026-04-17, the one day asked for. Nothing needs you.",
        "",
        "released        2026-04-17   40 tickets    2 rejected",
        "not asked for   60 days      6,000 lines   2026-03-01 … 2026-04-30",
        "",
        "2026-03   ······· ······· ······· ······· ···",
        "2026-04   ······· ······· ··■···· ······· ··    · not asked for  ■ released",
        "",
        "cursor 2026-04-29 10:22:30   watermark 3 days before",
        "last run 01a20487-27bf ingest 2026-04-20 20:34 ok",
        "next: make psql ROLE=reader   # what readers see",
    ]


def test_days_that_need_a_look_come_first_and_the_rest_is_summed() -> None:
    partitions, readers = released(date(2026, 3, 1), 61)
    readers[5] = shown("2026-03-06", "proved rows wait for their release; drift_volume of tickets")
    readers[8] = shown("2026-03-09", is_held=True)
    found = status(partitions, readers, [finding(DAY)], {"2026-03-09": "month end"}, next_command="make build")
    assert status_lines(Screen(100), found) == [
        "Readers may rely on 59 of 61 days asked for. 2 need you, 1 is held.",
        "",
        "needs you   2026-04-17   40 tickets    record_missing in silver.ticket_fact",
        "kept back   2026-03-06   40 tickets    proved rows wait for their release; drift_volume of tickets",
        "held        2026-03-09   40 tickets    month end",
        "released    58 days      5,916 lines   2026-03-01 … 2026-04-30, 116 rejected",
        "",
        "2026-03   ■■■■■◔■ ■□■■■■■ ■■■■■■■ ■■■■■■■ ■■■",
        "2026-04   ■■■■■■■ ■■■■■■■ ■■✗■■■■ ■■■■■■■ ■■    ■ released  ◔ kept back  □ held  ✗ needs you",
        "",
        "cursor 2026-04-29 10:22:30   watermark 3 days before",
        "last run 01a20487-27bf ingest 2026-04-20 20:34 ok",
        "next: make build",
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("count", [0, 1, 61, 800])
@pytest.mark.parametrize("state", [None, "damaged", "kept back", "not asked for"])
def test_however_many_days_the_answer_fits_a_screen(width: int, count: int, state: State | None) -> None:
    """Prevents 660 lines in 80 columns. What is said of the whole, the last lines and the next command come on top."""
    partitions, readers = released(date(2023, 2, 20), count)
    found = status(partitions, readers)
    if state is not None:
        reason = "a reason of some length that does not fit on what is left of one line, " * 2
        found = replace(found, days=[replace(day, state=state, reason=reason) for day in found.days])
    lines = status_lines(Screen(width), found)
    assert all(cells(line) <= width for line in lines), lines
    body = lines[lines.index("") + 1 : len(lines) - 1 - lines[::-1].index("")] if count else []
    assert len(body) <= (20 if width >= 80 else 26)
    if width >= 80:
        assert len(lines) <= 24


def test_what_many_days_share_is_said_once_and_the_screen_has_at_most_24_lines() -> None:
    """A view that was bent, or a file that is missing, keeps back every day: listed, they push all else away."""
    partitions, readers = released(date(2026, 3, 1), 61)
    faults = ["serving.ticket_fact is not as the project has it: its query, its options"]
    lines = status_lines(Screen(80, False), status(partitions, [], view_faults=faults))
    assert len(lines) <= 24
    assert [line for line in lines if line.startswith("kept back")] == [
        "kept back   61 days   6,222 lines   2026-03-01 … 2026-04-30, proved, and not",
    ]
    absent = [proved(day["partition_key"], landed=5, missing_asset=1) for day in partitions]
    damaged = [finding("2026-04-17")]
    lines = status_lines(Screen(80, False), status(absent, readers, damaged))
    assert [line for line in lines if line.startswith("needs you")] == [
        "needs you   2026-04-17     0 tickets   record_missing in silver.ticket_fact",
        "needs you   60 more days   0 lines     2026-03-01 … 2026-04-30, 1 file is",
    ]


LONG = "reports/run_evidence/_run was restored to a state from before 2026-04-20 20:34; what is lost is told here, " * 4


@pytest.mark.parametrize("notices", [0, 1, 5])
@pytest.mark.parametrize("groups", [0, 1, 9])
@pytest.mark.parametrize("days", [1, 61, 900])
def test_whatever_meets_the_screen_has_at_most_24_lines_and_everything_is_to_be_had(
    notices: int, groups: int, days: int
) -> None:
    """A notice, a run that failed and a missing file came to 27 lines: the answer had left the screen."""
    partitions, _ = released(date(2023, 2, 20), days)
    absent = [
        {"manifest_id": "m", "source_id": f"file-{n}.jsonl", "disposition": "missing", "reasons": f"reason_{n}"}
        | {"sentence": LONG, "mend": "Deliver it again."}
        for n in range(groups)
    ]
    lacking = [proved(day["partition_key"], landed=5, missing_asset=n % 40) for n, day in enumerate(partitions)]
    found = status(
        lacking,
        [shown(day["partition_key"], LONG if n % 7 == 0 else None) for n, day in enumerate(partitions)],
        [finding(None, LONG), *(finding(day["partition_key"], LONG) for day in partitions[:40:3])],
        {day["partition_key"]: f"{n} {LONG}" for n, day in enumerate(partitions[5:50:9])},
        notices=[f"{n} {LONG}" for n in range(notices)],
        runs=[{**status().runs[0], "status": "failed", "failure": LONG}],
        open_answers=[LONG],
        absent_assets=absent,
        drift=[{"partition_key": DAY, "check_name": f"drift_{n}", "detail": LONG} for n in range(groups)],
        next_command=f"make dry-run MANIFEST={'m' * 40}.json   # {LONG[:160]}",
    )
    lines = status_lines(Screen(80), found)
    assert len(lines) <= 24, lines
    assert lines[0].startswith("Readers may ") and lines[-1] == f"next: make dry-run MANIFEST={'m' * 40}.json"
    assert any(line.startswith("needs you") for line in lines)
    whole = " ".join(" ".join(whole_lines(Screen(80), found, None)).split())
    for told in (
        *found.notices,
        LONG,
        *(row["reasons"] for row in absent),
        *(row["check_name"] for row in found.drift),
    ):
        assert " ".join(told.split()) in whole


def test_years_that_need_nothing_have_a_line_each() -> None:
    partitions, readers = released(date(2023, 2, 20), 800)
    found = status(partitions, readers, [finding("2023-05-05")])
    assert status_lines(Screen(80), found)[5:13] == [
        "2023   284 released (other months)",
        "2024   366 released",
        "2025   59 released (other months)",
        "2023-05   ■■■■✗■■ ■■■■■■■ ■■■■■■■ ■■■■■■■ ■■■",
        "2025-03   ■■■■■■■ ■■■■■■■ ■■■■■■■ ■■■■■■■ ■■■",
        "2025-04   ■■■■■■■ ■■■■■■■ ■■■■■■■ ■■■■■■■ ■     ■ released  ✗ needs you",
        "",
        "cursor 2026-04-29 10:22:30   watermark 3 days before",
    ]


def test_what_is_of_no_day_is_told_too() -> None:
    partitions, readers = released(date(2026, 4, 17), 2)
    why = {"sentence": "The file's SHA-256 is another.", "mend": "Deliver it again."}
    absent = [
        {"manifest_id": "m", "source_id": f"{name}.jsonl", "disposition": "withheld", "reasons": "checksum_mismatch"}
        | why
        for name in ("a", "b", "c")
    ]
    found = status(partitions, readers, [finding(None)], absent_assets=absent, next_command="make dry-run")
    assert status_lines(Screen(100), found)[:7] == [
        "Readers may rely on all 2 days asked for.",
        "",
        "needs you   all days   silver.ticket_fact   record_missing (TKT-20260417-000001)",
        "withheld    3 files    checksum_mismatch    The file's SHA-256 is another. Deliver it again.",
        "                                            a.jsonl, b.jsonl, …",
        "released    2 days     204 lines            2026-04-17 … 2026-04-18, 4 rejected",
        "",
    ]


def test_what_names_nothing_is_told_of_its_day_and_summed_over_all() -> None:
    """Prevents comments on no ticket that only a table in the warehouse tells of."""
    partitions, readers = released(date(2026, 4, 17), 2)
    link = {
        "record_kind": "ticket_v1",
        "fault": "link_missing",
        "linked_kind": "note_v1",
        "field_name": "note",
        "is_awaited": False,
    }
    link |= {"key_count": 1, "keys": ["N-1"]}
    links = [
        {**link, "partition_key": day, "record_count": count, "detail": f"{count} lack"}
        for day, count in (("2026-04-17", 2), ("2026-04-18", 1_000))
    ]
    found = status(partitions, readers, links=links)
    assert status_lines(Screen(90), found)[:3] == [
        "Readers may rely on all 2 days asked for. Nothing needs you.",
        "",
        "released   2 days   204 lines   2026-04-17 … 2026-04-18, 4 rejected, 1,002 link_missing",
    ]
    of_day = replace(found, partitions=partitions[:1], days=found.days[:1], links=links[:1])
    assert [line for line in day_lines(Screen(80), of_day, date(2026, 4, 17)) if line.startswith("link_missing")] == [
        "link_missing   2 lack"
    ]
    assert "2026-04-18 note 1000 lack" in " ".join(" ".join(whole_lines(Screen(80), found, None)).split())


def two_kinds(*, is_damaged: bool = True, **others: Any) -> Status:
    """A released day of tickets and of notes, and another of notes alone, which `is_damaged`."""
    note = {"record_kind": "note_v1"}
    partitions, readers = released(date(2026, 4, 17), 1)
    notes, shown_notes = released(date(2026, 4, 17), 2)
    return status(
        [*partitions, *(row | note for row in notes)],
        [*readers, *(row | note for row in shown_notes)],
        [finding("2026-04-18") | note] * is_damaged,
        **others,
    )


def test_two_kinds_are_counted_apart_and_named() -> None:
    """Prevents a day of one kind whose state is told for the other."""
    assert status_lines(Screen(90), two_kinds())[:12] == [
        "Readers may rely on 2 of 3 days asked for (note_v1 1 of 2, ticket_v1 1 of 1). 1 needs you.",
        "",
        "needs you   2026-04-18 of note_v1     40 records   record_missing in silver.ticket_fact",
        "released    2026-04-17 of note_v1     40 records   2 rejected",
        "released    2026-04-17 of ticket_v1   40 records   2 rejected",
        "",
        "note_v1",
        f"2026-04{' ' * 21}■✗{' ' * 18}■ released  ✗ needs you",
        "ticket_v1",
        f"2026-04{' ' * 21}■{' ' * 19}■ released",
        "",
        "cursor 2026-04-29 10:22:30   watermark 3 days before",
    ]
    sound = two_kinds(is_damaged=False)
    assert status_lines(Screen(90), sound)[0] == (
        "Readers may rely on all 3 days asked for (note_v1 2, ticket_v1 1). Nothing needs you."
    )
    found = two_kinds()
    of_day = replace(found, partitions=[row for row in found.partitions if row["partition_key"] == DAY], findings=())
    assert day_lines(Screen(90), of_day, date(2026, 4, 17))[:8] == [
        "2026-04-17 of note_v1 is complete and released.",
        "2026-04-17 of ticket_v1 is complete and released.",
        "ticket_v1:",
        "  102 lines = 99 landed + 1 duplicate + 2 rejected",
        "  0 events → 40 tickets; nothing unexplained",
        "note_v1:",
        "  102 lines = 99 landed + 1 duplicate + 2 rejected",
        "  0 events → 40 notes; nothing unexplained",
    ]
    bent = two_kinds(view_faults=["serving.visit_note is not the project's"])
    assert status_lines(Screen(90), replace(bent, blind_kinds=["note_v1"], record_kind="note_v1"))[0].startswith(
        "Readers may rely on nothing of note_v1: a view"
    )


def test_a_row_of_each_kind_stays_one_line() -> None:
    """Prevents the first screen that a newcomer sees from being broken after each state."""
    rows: list[dict[str, Any]] = []
    readers: list[dict[str, Any]] = []
    for kind in ("ticket_comment_v1", "ticket_v1"):
        known, seen = released(date(2026, 4, 17), 1)
        rest = [proved(f"2026-03-{day:02}", expected=133, out_of_partition=133, rejected=1) for day in range(1, 31)]
        rows += [{**row, "record_kind": kind} for row in (*known, *rest)]
        readers += [{**row, "record_kind": kind} for row in seen]
    assert status_lines(Screen(80), status(rows, readers))[3:7] == [
        "released        2026-04-17 of ticket_comment_v1   40 records   2 rejected",
        "released        2026-04-17 of ticket_v1           40 records   2 rejected",
        "not asked for   30 days of ticket_comment_v1      0 lines      30 rejected",
        "not asked for   30 days of ticket_v1              0 lines      30 rejected",
    ]
    runs = [
        {**status().runs[0], "run_id": run_id, "record_kind": kind, "status": "warning"}
        for run_id, kind in ((RUN, "ticket_comment_v1"), (RUN[::-1], "ticket_v1"))
    ]
    damaged = status_lines(Screen(80), status(rows, readers, [finding(DAY)], runs=runs))
    assert damaged[3:6] == [
        "needs you       2026-04-17 of ticket_v1           40 records",
        "    record_missing in silver.ticket_fact",
        "released        2026-04-17 of ticket_comment_v1   40 records   2 rejected",
    ]
    assert "last run 01a20487-27bf ingest of ticket_comment_v1 2026-04-20 20:34 ok, with" in damaged
    assert len(damaged) <= 24 and max(map(cells, damaged)) <= 80


def test_what_bends_every_answer_is_loud() -> None:
    partitions, readers = released(date(2026, 4, 17), 1)
    found = status(
        partitions, readers, view_faults=["serving.ticket_fact is not the project's"], notices=("odd clock",)
    )
    assert status_lines(Screen(80), found)[:4] == [
        "Readers may rely on nothing: a view that they look through is not the project's.",
        "readers do not see what was released: serving.ticket_fact is not the project's",
        "note: odd clock",
        "",
    ]
    coloured = status_lines(Screen(80, has_colour=True), found)
    assert (
        coloured[1] == "\x1b[1;31mreaders do not see what was released: serving.ticket_fact is not the project's\x1b[0m"
    )


def test_a_run_that_failed_is_loud_until_everything_is_proved() -> None:
    partitions, readers = released(date(2026, 4, 17), 1)
    run = {**status().runs[0], "status": "failed", "failure": "no line belongs to partition 2026-05-30"}
    found = status(partitions, readers, runs=[run], open_answers=["ingest failed its checks"])
    assert status_lines(Screen(80), found)[:2] == [
        "Readers may rely on 2026-04-17, the one day asked for.",
        "last run 01a20487-27bf failed: no line belongs to partition 2026-05-30",
    ]
    assert status_lines(Screen(80), status(partitions, readers, runs=[run]))[:2] == [
        "Readers may rely on 2026-04-17, the one day asked for. Nothing needs you.",
        "",
    ]


@pytest.mark.parametrize(
    ("run_status", "is_alive", "told"),
    [
        ("success", False, "ok"),
        ("warning", False, "ok, with warnings"),
        ("running", True, "is at work"),
        ("running", False, "is dead"),
        ("crashed", False, "crashed"),
        ("interrupted", False, "was interrupted"),
    ],
)
def test_a_run_that_is_dead_is_not_said_to_go_on(run_status: str, is_alive: bool, told: str) -> None:
    """Prevents "has not ended" here and "is dead" in diagnose, of one run."""
    found = status(runs=[{**status().runs[0], "status": run_status, "is_alive": is_alive}])
    assert f"last run 01a20487-27bf ingest 2026-04-20 20:34 {told}" in status_lines(Screen(80), found)


def test_what_is_left_out_of_a_day_is_listed_by_a_command_that_can_be_pasted() -> None:
    """Prevents an option of `loader` in the words for those who type `make`."""
    files = [
        {"source_id": f"{n}.jsonl", "manifest_id": "m", "record_line_count": 1, "rejected_line_count": 0}
        | {"taken_by_run_id": RUN}
        for n in range(14)
    ]
    found = status([proved(DAY)], [shown(DAY)], [finding(DAY, str(n)) for n in range(7)], files=files)
    lines = day_lines(Screen(80), found, date(2026, 4, 17))
    assert [" ".join(line.split()) for line in lines if "more" in line] == [
        "and 2 more findings: `make status PARTITION=2026-04-17 ALL=1`",
        "and 2 more files: `make status PARTITION=2026-04-17 ALL=1`",
    ]
    whole = day_lines(Screen(80), found, date(2026, 4, 17), is_whole=True)
    assert not any("more" in line for line in whole)
    # A document is one line.
    assert next(" ".join(line.split()) for line in whole if line.startswith("file")) == "file 0.jsonl 1 line"


def test_where_views_are_not_the_projects_no_day_is_said_to_be_kept_back_by_the_gate() -> None:
    (day,) = states_of_days([proved(DAY, landed=1)], None, [], [])
    assert (day.state, day.reason) == ("kept back", "whether readers see it is not known")


def test_a_warehouse_that_holds_nothing_says_so() -> None:
    found = status(runs=[], state=[], open_answers=["none has been registered"], next_command="make ingest")
    assert status_lines(Screen(80), found) == [
        "Nothing has been ingested yet.",
        "needs you: none has been registered",
        "",
        "next: make ingest",
    ]


def test_a_day_shows_its_equation_its_files_and_what_was_found() -> None:
    row = proved(
        DAY, line=163, landed=156, duplicate=5, rejected=2, event=156, superseded=109, silver_row=46, unexplained=1
    )
    file = {"source_id": "t.jsonl", "manifest_id": "m", "record_line_count": 1_161, "rejected_line_count": 2}
    found = status(
        [row],
        [shown(DAY, "not released")],
        [finding(DAY)],
        files=[{**file, "taken_by_run_id": RUN}],
        drift=[{"partition_key": DAY, "check_name": "drift_volume", "measure": "tickets", "detail": "9, usually 40"}],
        next_command="make build PARTITION=2026-04-17   # puts it back",
    )
    found = replace(found, readers=[shown(DAY, "not released")])
    assert day_lines(Screen(80), found, date(2026, 4, 17)) == [
        "2026-04-17 is damaged and needs you.",
        "  163 lines = 156 landed + 5 duplicates + 2 rejected",
        "  156 events → 46 tickets, 109 older versions kept; 1 unexplained",
        "",
        "readers see   release 1 of 2026-04-20 20:34; not released",
        "finding       record_missing in silver.ticket_fact (1 row; TKT-20260417-000001)",
        "drift         drift_volume: 9, usually 40",
        "run           01a20487-27bf ingest 2026-04-20 20:34 ok",
        "",
        "To let the drift pass:",
        "`make release PARTITION=2026-04-17 ACCEPT_DRIFT=1 REASON='<why>'`",
        "(docs/drift.md).",
        "",
        "file   t.jsonl   1,163   lines",
        "",
        "cursor 2026-04-29 10:22:30   watermark 3 days before",
        "next: make build PARTITION=2026-04-17   # puts it back",
    ]


def test_everything_is_still_to_be_had() -> None:
    """Prevents a short answer that hides what the long one told."""
    partitions, readers = released(date(2026, 4, 16), 2)
    found = status(partitions, readers, [finding(DAY)])
    lines = whole_lines(Screen(140), found, None)
    assert lines[: lines.index("partitions, as of the last reconcile") - 1] == status_lines(Screen(140), found)[:-1]
    assert lines[lines.index("partitions, as of the last reconcile") + 1 :] == [
        "day         records  lines  landed  duplicate  rejected  in Silver  complete",
        "2026-04-16      100    102      99          1         2         40  yes",
        "2026-04-17      100    102      99          1         2         40  yes",
        "",
        "latest runs",
        "run            attempt  mode    status   stage     window start  window end  started at           seconds",
        "01a20487-27bf        1  ingest  success  finished  2026-04-17    2026-04-18  2026-04-20 20:34:00      6.0",
        "",
        "state",
        "record source  state kind  value at",
        "s              cursor      2026-04-29 10:22:30",
        "s              watermark   2026-04-26 10:22:30",
        "",
        "findings",
        "table name          check name      day         source id      finding  detail",
        "silver.ticket_fact  record_missing  2026-04-17  tickets.jsonl        1  TKT-20260417-000001",
        "",
        "next: make psql ROLE=reader   # what readers see",
    ]


def test_a_day_that_nothing_is_known_of_names_the_nearest() -> None:
    found = status(nearest=["2026-04-16"], runs=[], state=[])
    assert day_lines(Screen(80), found, date(2026, 4, 17)) == [
        "No line of 2026-04-17 is known; nearest data: 2026-04-16.",
        "next: make psql ROLE=reader   # what readers see",
    ]
