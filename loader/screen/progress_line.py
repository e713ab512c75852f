"""A long command at work: a line for each stage with its seconds, and, on a terminal, a bar of the stage at work."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from loader.screen.terminal import Screen
from loader.screen.text import cells, paragraph

if TYPE_CHECKING:
    from loader.progress import Step

SECONDS_BETWEEN_LINES = 10.0
# How much of a stage is done before the rest is reckoned from it, and how long a rest is told: neither from nothing nor
# in days can anybody plan by it.
_ENOUGH_DONE = 0.01
_LONGEST_LEFT = timedelta(days=1)
# As wide as the longest name of a stage and a gap.
_STAGE = 11
_STAGED = re.compile(r"([a-z][a-z ]{1,9}): (.*)", re.DOTALL)


def stage_lines(screen: Screen, line: str, seconds: float) -> list[str]:
    """A word of a stage ("gate: 61 of 61 files admitted") beside the name of the stage, its seconds at the right."""
    found = _STAGED.fullmatch(line)
    if found is None:
        return paragraph(screen, line, hanging="  ")
    stage, text = found.groups()
    at_the_right = f"{seconds:.1f} s"
    narrower = Screen(screen.width - len(at_the_right) - 2, screen.has_colour, screen.is_terminal, screen.encoding)
    first, *others = paragraph(narrower, text, indent=f"{stage:<{_STAGE}}", hanging=" " * _STAGE)
    return [first + " " * (screen.width - cells(first) - len(at_the_right)) + at_the_right, *others]


class Lines:
    """Progress as plain lines, each with the seconds of its stage. A stage that takes long says every ten seconds how
    far it is.

    `spoke`: when there was last a sign of life, a word or a step.
    """

    def __init__(self, screen: Screen, write: Callable[[str], None]) -> None:
        self._screen = screen
        self._write = write
        self._stage = ""
        # When the stage at work began, and when something was last said; seconds of time.monotonic(), as is `spoke`.
        self._began = self._said = self.spoke = time.monotonic()
        # From when, and from which step on, the time that is left is reckoned: dbt's first node comes after its start.
        self._paced, self._first = self._began, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    @property
    def stage(self) -> str:
        """The stage at work, as far as it has been heard of; empty before the first."""
        return self._stage

    def __call__(self, line: str, /) -> None:
        found = _STAGED.fullmatch(line)
        if found is not None:
            self._turn_to(found.group(1))
        self._said = self.spoke = time.monotonic()
        self._show(stage_lines(self._screen, line, self._said - self._began))

    def step(self, step: Step, /) -> None:
        self._turn_to(step.stage)
        self._hear(step)
        if self.spoke - self._said >= SECONDS_BETWEEN_LINES and step.done < step.total:
            self(f"{step.stage}: {self._how_far(step)}")

    def _hear(self, step: Step) -> None:
        self.spoke = time.monotonic()
        if step.unit == "nodes" and self._paced == self._began:
            self._paced, self._first = self.spoke, step.done

    def _how_far(self, step: Step) -> str:
        return f"{step.done / step.total:.0%} of {', '.join(self._amounts(step))}"

    def _amounts(self, step: Step) -> list[str]:
        """How much the stage is of, lines and their rate, and the time that is left where it can be reckoned."""
        # Many small files have no megabyte.
        size, unit = (1e6, "MB") if step.total >= 1e6 else (1e3, "kB")
        words = [f"{step.total / size:,.0f} {unit}" if step.unit == "bytes" else f"{step.total:,} {step.unit}"]
        if step.line_count:
            seconds = max(self.spoke - self._began, 1e-3)
            words += [f"{step.line_count:,} lines", f"{step.line_count / seconds:,.0f} lines/s"]
        done = step.done - self._first
        if done > 0 and done >= _ENOUGH_DONE * step.total:
            left = timedelta(seconds=round((self.spoke - self._paced) * (step.total - step.done) / done))
            words += [f"{left} left"] if left < _LONGEST_LEFT else []
        return words

    def _turn_to(self, stage: str) -> None:
        """A stage begins when the one before it was last heard of."""
        if stage != self._stage:
            self._stage, self._began = stage, self.spoke
            self._paced, self._first = self._began, 0

    def _show(self, lines: list[str]) -> None:
        for line in lines:
            self._write(line)


class Bars(Lines):
    """The same lines, and below them one bar, that of the stage at work."""

    def __init__(self, screen: Screen, write: Callable[[str], None]) -> None:
        super().__init__(screen, write)
        self._bar: Any = None
        self._task: Any = None
        # Whose bar it is: a word may have turned to the next stage before its first step.
        self._barred = ""

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, step: Step, /) -> None:
        if self._bar is None:
            self._begin()
        if step.stage != self._barred:
            self._barred = step.stage
            self._bar.reset(self._task, description=step.stage, total=step.total)
        self._turn_to(step.stage)
        self._hear(step)
        amounts = ", ".join(self._amounts(step))
        self._bar.update(self._task, completed=step.done, visible=step.done < step.total, amounts=amounts)

    def _begin(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[amounts]}"),
        )
        self._bar = Progress(*columns, console=Console(stderr=True, width=self._screen.width), transient=True)
        self._task = self._bar.add_task("", visible=False, amounts="")
        self._bar.start()

    def _show(self, lines: list[str]) -> None:
        if self._bar is None:
            return super()._show(lines)
        self._bar.update(self._task, visible=False)
        for line in lines:
            self._bar.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
        return None
