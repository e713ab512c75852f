"""`loader drill`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from loader.cli.options import json_option
from loader.cli.output import print_json, progress, show, surface

if TYPE_CHECKING:
    from loader.drill import DrillOutcome
    from loader.screen import Screen


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
