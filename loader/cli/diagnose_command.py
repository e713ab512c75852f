"""`loader diagnose`: numbered questions, each with its answer, and one command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

import click

from loader.cli.options import json_option, kind_option, partition_option
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from loader.screen import Mark, Screen


@click.command()
@partition_option
@kind_option
@json_option
def diagnose(partition: str | None, kind: str | None, as_json: bool) -> int:
    """The triage, step by step, to one recommended command.

    Reads one snapshot. Exit code 1 where a step is not in order.
    """
    from loader.advice import diagnose_now
    from loader.config import load_settings, parse_partition
    from loader.warehouse import open_warehouse

    settings = load_settings()
    day = None if partition is None else parse_partition(partition)
    found = diagnose_now(settings, open_warehouse(settings), day, kind)
    if as_json:
        print_json({**asdict(found), "is_in_order": found.is_in_order})
    else:
        show(diagnose_lines(surface(), found.steps, found.next_command))
    return 0 if found.is_in_order else 1


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
    from loader.screen import next_lines, table

    rows = [
        [number, step.question, _mark(step), step.answer if step.is_in_order else f"needs you: {step.answer}"]
        for number, step in enumerate(steps, start=1)
    ]
    return [*table(screen, rows), *next_lines(screen, next_command)]


def _mark(step: Answered) -> Mark:
    from loader.screen import Mark

    if not step.is_in_order:
        return Mark("✗", "bad")
    return Mark("·", "look") if step.is_noted else Mark("ok", "good")
