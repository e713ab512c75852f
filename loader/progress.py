"""What a long command is doing, as lines and numbers; how they are shown is the command line's affair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """How far a stage is: `done` of `total` units (bytes of content, or dbt's nodes), and lines where it reads any."""

    stage: str
    unit: str
    done: int
    total: int
    line_count: int = 0


class Report(Protocol):
    """Who listens. `report("text")` says what happened, `report.step(...)` how far a stage is."""

    def __call__(self, line: str, /) -> None: ...

    def step(self, step: Step, /) -> None: ...


class Silent:
    """Nobody listens."""

    def __call__(self, line: str, /) -> None:
        pass

    def step(self, step: Step, /) -> None:
        pass


SILENT = Silent()


class Meter:
    """Counts one stage's units and lines, and reports each advance."""

    def __init__(self, report: Report, stage: str, unit: str, total: int) -> None:
        self._report = report
        self._step = Step(stage, unit, 0, total)

    @property
    def line_count(self) -> int:
        return self._step.line_count

    def add(self, units: int, line_count: int = 0) -> None:
        step = self._step
        self._step = replace(step, done=step.done + units, line_count=step.line_count + line_count)
        self._report.step(self._step)
