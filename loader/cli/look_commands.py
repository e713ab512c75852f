"""Commands that say how things are: status; diagnose, numbered questions and one command; and drill, which recovers
known incidents in a scratch database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

import click

from loader.cli.options import json_option, kind_option, partition_option
from loader.cli.output import print_json, progress, show, surface

if TYPE_CHECKING:
    from loader.drill import DrillOutcome
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


@click.command()
@partition_option
@kind_option
@click.option("--all", "is_whole", is_flag=True, help="Every partition, run, proof and finding.")
@json_option
def status(partition: str | None, kind: str | None, is_whole: bool, as_json: bool) -> int:
    """What readers may rely on, what needs a person, the next command.

    Reads one snapshot and takes no lock.
    """
    from loader.cli.status_day_screen import day_lines, whole_lines
    from loader.cli.status_screen import status_lines
    from loader.config import load_settings, parse_partition
    from loader.status import read_status
    from loader.warehouse import open_warehouse

    settings = load_settings()
    day = None if partition is None else parse_partition(partition)
    answer = read_status(open_warehouse(settings), day, settings=settings, record_kind=kind)
    if as_json:
        print_json(asdict(answer))
    elif is_whole:
        show(whole_lines(surface(), answer, day))
    elif day is not None:
        show(day_lines(surface(), answer, day))
    else:
        show(status_lines(surface(), answer))
    return 0


@click.command()
@json_option
def drill(as_json: bool) -> int:
    """Known incidents in a scratch database, each recovered with its verb.

    Exit code 1 when one was not recovered. The warehouse itself, its raw zone and its reports are not touched.
    """
    from loader.config import load_settings
    from loader.drill import run_drill
    from loader.screen import next_lines

    with progress() as report:
        outcomes = list(run_drill(load_settings(), report))
    failed = [outcome for outcome in outcomes if not outcome.is_recovered]
    next_command = "make smoke" if failed else "make status"
    if as_json:
        print_json({"outcomes": [asdict(outcome) for outcome in outcomes], "next_command": next_command})
        return 1 if failed else 0
    screen = surface(err=bool(failed))
    show([*drill_lines(surface(), outcomes)])
    show(next_lines(screen, next_command), err=bool(failed))
    return 1 if failed else 0


def drill_lines(screen: Screen, outcomes: Sequence[DrillOutcome]) -> list[str]:
    """How many were recovered, and for each what was seen, what was typed, and how long it took."""
    from loader.screen import Mark, amount, listing

    failed = [outcome for outcome in outcomes if not outcome.is_recovered]
    answer = f"{screen.words(len(outcomes) - len(failed))} of {amount(screen, len(outcomes), 'incident')} recovered."
    lines = [answer]
    for outcome in outcomes:
        mark = Mark("✓ recovered", "good") if outcome.is_recovered else Mark("✗ NOT recovered", "bad")
        told = [("seen", outcome.seen), (outcome.verb, outcome.command)]
        if outcome.not_true:
            told.append(("not true", "; ".join(outcome.not_true)))
        head = f"{screen.words(outcome.incident)}   {screen.painted(screen.words(mark.value), mark.tone)}"
        lines += ["", f"{head}   {screen.words(outcome.seconds)} s", *listing(screen, told)]
    return [*lines, ""]
