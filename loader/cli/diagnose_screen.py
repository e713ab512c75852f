"""What `loader diagnose` shows: numbered questions, each with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from loader.screen import Mark, Screen, next_lines, table


class Answered(Protocol):
    """A question of the triage, its answer, and whether that is in order."""

    @property
    def question(self) -> str: ...

    @property
    def answer(self) -> str: ...

    @property
    def is_in_order(self) -> bool: ...


def diagnose_lines(screen: Screen, steps: Sequence[Answered], next_command: str) -> list[str]:
    """A symbol stands beside words, and a question that is not in order says so in its answer."""
    rows = [
        [number, step.question, Mark("ok", "good"), step.answer]
        if step.is_in_order
        else [number, step.question, Mark("✗", "bad"), f"needs you: {step.answer}"]
        for number, step in enumerate(steps, start=1)
    ]
    return [*table(screen, rows), *next_lines(screen, next_command)]
