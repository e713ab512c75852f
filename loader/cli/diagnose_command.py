"""`loader diagnose`."""

from __future__ import annotations

from dataclasses import asdict

import click

from loader.cli.options import json_option, kind_option, partition_option
from loader.cli.output import print_json, show, surface


@click.command()
@partition_option
@kind_option
@json_option
def diagnose(partition: str | None, kind: str | None, as_json: bool) -> int:
    """The triage, step by step, to one recommended command.

    Reads one snapshot. Exit code 1 where a step is not in order.
    """
    from loader.advice import diagnose_now
    from loader.cli.diagnose_screen import diagnose_lines
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
