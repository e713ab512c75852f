"""`loader status`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click

from loader.cli.options import json_option, partition_option
from loader.cli.output import echo, print_json, print_table


@click.command()
@partition_option
@json_option
def status(partition: str | None, as_json: bool) -> int:
    """Partitions, runs, cursors, gaps, and the next command; reads one snapshot and takes no lock."""
    from loader.config import load_settings, parse_partition
    from loader.status import read_status
    from loader.warehouse import open_warehouse

    settings = load_settings()
    day = None if partition is None else parse_partition(partition)
    answer = read_status(open_warehouse(settings), day, settings=settings)
    if as_json:
        print_json(asdict(answer))
        return 0
    for notice in answer.notices:
        echo(f"note: {notice}")
    for fault in answer.view_faults:
        echo(f"readers do not see what was released: {fault}")
    _table("partitions (as of the last reconcile)", answer.partitions)
    if partition and not answer.partitions:
        echo(f"no line of partition {partition} is known; nearest data: {' and '.join(answer.nearest) or 'none'}")
    _table("latest runs", answer.runs)
    _table("state", answer.state)
    _table("last proofs", answer.proofs)
    _table("withheld or missing assets", answer.absent_assets)
    _table("findings", answer.findings)
    _table("tie_unordered: files whose versions nothing puts in order", answer.ties)
    _table("what readers see" if partition else "held, or not shown to readers as proved", answer.readers)
    _table("drift that nobody has accepted", answer.drift)
    if answer.drift:
        drifting = answer.drift[0]["partition_key"] or "<day>"
        echo(f"to let it pass: loader release --partition {drifting} --accept-drift --reason '<why>'   # docs/drift.md")
    echo(f"next: {answer.next_command}")
    return 0


def _table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        print_table(title, list(rows[0]), [list(row.values()) for row in rows])
    else:
        echo(f"{title}: none")
