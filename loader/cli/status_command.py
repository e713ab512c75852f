"""`loader status`."""

from __future__ import annotations

from dataclasses import asdict

import click

from loader.cli.options import json_option, kind_option, partition_option
from loader.cli.output import print_json, show, surface


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
