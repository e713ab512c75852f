"""What a long command shows of itself."""

from __future__ import annotations

import io
import sys

import pytest

from loader.cli import output
from loader.progress import Meter, Silent, Step
from loader.screen import Screen, progress_line
from loader.screen.progress_line import Bars, Lines, stage_lines
from tests.unit.moved_clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress_line, "time", clock)
    return clock


def test_a_meter_reports_the_sum_of_what_it_was_given() -> None:
    class Heard(Silent):
        def step(self, step: Step, /) -> None:
            steps.append(step)

    steps: list[Step] = []
    meter = Meter(Heard(), "bronze", "bytes", 30)
    meter.add(10, 3)
    meter.add(20, 4)
    assert steps == [Step("bronze", "bytes", 10, 30, 3), Step("bronze", "bytes", 30, 30, 7)]


def test_a_stage_is_a_line_with_its_seconds_at_the_right() -> None:
    assert stage_lines(Screen(80), "gate: 61 of 61 files admitted", 0.94) == [
        "gate       61 of 61 files admitted                                         0.9 s"
    ]
    assert stage_lines(Screen(60), "silver: proves everything again, since the proof did not close", 102.0) == [
        "silver     proves everything again, since the proof  102.0 s",
        "           did not close",
    ]
    assert stage_lines(Screen(60), "/tmp/pgdata is open to other users: chmod go= /tmp/pgdata", 1.0) == [
        "/tmp/pgdata is open to other users: chmod go= /tmp/pgdata"
    ]


def test_plain_lines_say_bytes_lines_rate_and_time_left_every_ten_seconds(clock: Clock) -> None:
    """Prevents a log of a thousand lines, and an hour of silence."""
    said: list[str] = []
    with Lines(Screen(80), said.append) as report:
        for second in range(25):
            clock.now = 100.0 + second
            report.step(Step("bronze", "bytes", 1_000_000 * (second + 1), 50_000_000, 100 * second))
    assert said == [
        "bronze     22% of 50 MB, 1,000 lines, 100 lines/s, 0:00:35 left           10.0 s",
        "bronze     42% of 50 MB, 2,000 lines, 100 lines/s, 0:00:28 left           20.0 s",
    ]


def test_small_files_are_told_in_a_unit_that_they_have(clock: Clock) -> None:
    """Prevents "29% of 0 MB" of five hundred documents."""
    said: list[str] = []
    report = Lines(Screen(80), said.append)
    for second in (0.0, 10.0):
        clock.now = 100.0 + second
        report.step(Step("gate", "bytes", 1_000 + int(second) * 90, 4_900))
    assert [line.split(",")[0] for line in said] == ["gate       39% of 5 kB"]


def test_a_stage_begins_when_the_one_before_it_was_last_heard(clock: Clock) -> None:
    """Prevents a rate that counts the seconds of another stage, or none for the first load."""
    said: list[str] = []
    report = Lines(Screen(80), said.append)
    clock.now = 130.0
    report.step(Step("archive", "bytes", 9, 9))
    clock.now = 150.0
    report.step(Step("bronze", "bytes", 10_000_000, 50_000_000, 1_000))
    assert said == ["bronze     20% of 50 MB, 1,000 lines, 50 lines/s, 0:01:20 left            20.0 s"]
    clock.now = 151.0
    report("bronze: 61 files read")
    clock.now = 153.5
    report("silver: built")
    assert [(line.split()[0], line.split()[-2]) for line in said[1:]] == [("bronze", "21.0"), ("silver", "2.5")]
    assert report.stage == "silver"


def test_what_is_left_of_dbt_is_reckoned_from_its_first_node(clock: Clock) -> None:
    """Prevents "1% of 94 nodes, 1:09:01 left", because dbt took 44 seconds to start."""
    said: list[str] = []
    report = Lines(Screen(80), said.append)
    for now, done in ((144.0, 1), (154.0, 11), (164.0, 21)):
        clock.now = now
        report.step(Step("silver", "nodes", done, 101))
    assert [" ".join(line.split()) for line in said] == [
        "silver 1% of 101 nodes 44.0 s",
        "silver 11% of 101 nodes, 0:01:30 left 54.0 s",
        "silver 21% of 101 nodes, 0:01:20 left 64.0 s",
    ]


@pytest.mark.parametrize(
    ("done", "seconds", "told"),
    [
        (1_000_000, 500.0, "0% of 1,000 MB"),
        (10_000_000, 500.0, "1% of 1,000 MB, 13:45:00 left"),
        (10_000_000, 900.0, "1% of 1,000 MB"),
        (500_000_000, 900.0, "50% of 1,000 MB, 0:15:00 left"),
    ],
)
def test_what_is_left_is_told_where_somebody_can_plan_by_it(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, done: int, seconds: float, told: str
) -> None:
    """Prevents "0% of 4,812 MB, 1 day, 10:53:04 left": reckoned from nothing, and told in days. A line and a bar say
    the same."""
    said: list[str] = []
    report, bar = Lines(Screen(80), said.append), Bars(Screen(120), said.append)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    clock.now += seconds
    step = Step("gate", "bytes", done, 1_000_000_000)
    with bar:
        report.step(step)
        bar.step(step)
        (task,) = bar._bar.tasks
    assert " ".join(said[0].split()) == f"gate {told} {seconds} s"
    assert task.fields["amounts"] == told.split(" of ")[1]


def test_a_stage_that_is_done_or_short_says_nothing_of_its_progress(clock: Clock) -> None:
    said: list[str] = []
    report = Lines(Screen(80), said.append)
    report.step(Step("gate", "bytes", 0, 0))
    clock.now += 5
    report.step(Step("dbt", "nodes", 1, 2))
    report.step(Step("dbt", "nodes", 2, 2))
    assert said == []


def test_a_terminal_shows_the_stage_at_work_and_clears_it_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(KeyboardInterrupt), output.progress() as report:
        assert isinstance(report, Bars)
        report("[dim]a line with [brackets]")
        report.step(Step("bronze", "bytes", 10_000_000, 50_000_000, 1_000))
        report._bar.refresh()
        report("silver: [dim]a stage with [brackets]")
        report.step(Step("silver", "nodes", 20, 55))
        report._bar.refresh()
        raise KeyboardInterrupt
    shown = terminal.getvalue()
    assert "[dim]a line with [brackets]" in shown
    assert "[dim]a stage with [brackets]" in shown
    assert "50 MB, 1,000 lines" in shown and "20%" in shown
    # The bar is that of the stage at work, whose name and total are others.
    _, silver, bar = shown.rpartition("\x1b[2Ksilver")
    assert silver and " 36%" in bar and "55 nodes" in bar
    assert shown.endswith("\x1b[?25h") or "\x1b[?25h" in shown, "the cursor is shown again"
