"""`loader drill`."""

from __future__ import annotations

from dataclasses import asdict

import click

from loader.cli.options import json_option
from loader.cli.output import echo, print_json, print_table, progress


@click.command()
@json_option
def drill(as_json: bool) -> int:
    """Make known incidents in a scratch database, recover each with its verb, and print what happened.

    Exit code 1 when one was not recovered. The warehouse itself, its raw zone and its reports are not touched.
    """
    from loader.config import load_settings
    from loader.drill import run_drill

    with progress() as report:
        outcomes = list(run_drill(load_settings(), report))
    failed = [outcome for outcome in outcomes if not outcome.is_recovered]
    next_command = "make smoke" if failed else "make status"
    if as_json:
        print_json({"outcomes": [asdict(outcome) for outcome in outcomes], "next_command": next_command})
        return 1 if failed else 0
    print_table(
        "drill",
        ["incident", "seen", "verb", "command", "recovered", "seconds"],
        [
            [
                outcome.incident,
                outcome.seen,
                outcome.verb,
                outcome.command,
                "yes" if outcome.is_recovered else f"NO: not true: {'; '.join(outcome.not_true)}",
                f"{outcome.seconds:.1f}",
            ]
            for outcome in outcomes
        ],
    )
    echo(f"next: {next_command}", err=bool(failed))
    return 1 if failed else 0
