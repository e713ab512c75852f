"""What `loader diagnose` shows: numbered questions, each with its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from loader.screen import Mark, Screen, next_lines, table


class Answered(Protocol):
    """A question of the triage, its answer, whether that is in order, and whether a reader should know it all the
    same."""

    @property
    def question(self) -> str: ...

    @property
    def answer(self) -> str: ...

    @property
    def is_in_order(self) -> bool: ...

    @property
    def is_noted(self) -> bool: ...


def diagnose_lines(screen: Screen, steps: Sequence[Answered], next_command: str) -> list[str]:
    """A symbol stands beside words, and a question that is not in order says so in its answer."""
    rows = [
        [number, step.question, _mark(step), step.answer if step.is_in_order else f"needs you: {step.answer}"]
        for number, step in enumerate(steps, start=1)
    ]
    return [*table(screen, rows), *next_lines(screen, next_command)]


def _mark(step: Answered) -> Mark:
    if not step.is_in_order:
        return Mark("✗", "bad")
    return Mark("·", "look") if step.is_noted else Mark("ok", "good")
