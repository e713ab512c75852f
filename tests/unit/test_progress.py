"""What a long command shows of itself."""

from __future__ import annotations

import io
import sys

import pytest

from loader.cli import output
from loader.cli.output import Bars, Lines
from loader.progress import Meter, Silent, Step


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(output, "time", clock)
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


def test_plain_lines_say_bytes_lines_rate_and_time_left_every_ten_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents a log of a thousand lines, and an hour of silence."""
    with Lines() as report:
        for second in range(25):
            clock.now = 100.0 + second
            report.step(Step("bronze", "bytes", 1_000_000 * (second + 1), 50_000_000, 100 * second))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines() == [
        "[  10.0s] bronze: 22% of 50 MB, 1,000 lines, 100 lines/s, 0:00:35 left",
        "[  20.0s] bronze: 42% of 50 MB, 2,000 lines, 100 lines/s, 0:00:28 left",
    ]


def test_a_stage_begins_when_the_one_before_it_was_last_heard(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Prevents a rate that counts the seconds of another stage, or none for the first load."""
    report = Lines()
    clock.now = 130.0
    report.step(Step("archive", "bytes", 9, 9))
    clock.now = 150.0
    report.step(Step("bronze", "bytes", 10_000_000, 50_000_000, 1_000))
    assert capsys.readouterr().err == "[  50.0s] bronze: 20% of 50 MB, 1,000 lines, 50 lines/s, 0:01:20 left\n"


def test_a_stage_that_is_done_or_short_says_nothing_of_its_progress(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    report = Lines()
    report.step(Step("gate", "bytes", 0, 0))
    clock.now += 5
    report.step(Step("dbt", "nodes", 1, 2))
    report.step(Step("dbt", "nodes", 2, 2))
    assert capsys.readouterr().err == ""


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
        raise KeyboardInterrupt
    shown = terminal.getvalue()
    assert "[dim]a line with [brackets]" in shown
    assert "50 MB, 1,000 lines" in shown and "20%" in shown
    assert shown.endswith("\x1b[?25h") or "\x1b[?25h" in shown, "the cursor is shown again"
