"""How commands speak: progress to standard error, results to standard output, JSON when asked."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click


def progress() -> Callable[[str], None]:
    """A reporter that prefixes each line with the seconds since the command began."""
    began = time.monotonic()

    def report(line: str) -> None:
        click.echo(f"[{time.monotonic() - began:6.1f}s] {line}", err=True)

    return report


def print_json(record: Mapping[str, Any]) -> None:
    import json

    import orjson

    try:
        text = orjson.dumps(record, option=orjson.OPT_INDENT_2, default=str).decode()
    except orjson.JSONEncodeError:
        # A path that is no UTF-8: its odd bytes are escaped.
        text = json.dumps(record, indent=2, default=str)
    click.echo(text)


def print_error(message: str, next_command: str, exit_code: int, *, as_json: bool) -> None:
    """The last line is the next command; as JSON it is the field `next_command`."""
    if as_json:
        print_json({"error": message, "exit_code": exit_code, "next_command": next_command})
        return
    click.echo(click.style("error: ", fg="red", bold=True) + message, err=True)
    click.echo(f"next: {next_command}", err=True)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table: drawn on a terminal, tab-separated otherwise so that `cut` and `awk` work."""
    if not sys.stdout.isatty():
        click.echo(f"# {title}")
        for row in (columns, *rows):
            click.echo("\t".join("" if value is None else str(value) for value in row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)
