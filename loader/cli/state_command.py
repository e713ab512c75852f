"""`loader state` and `loader state reset`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from loader.cli.options import json_option, lock_option, settings_of
from loader.cli.output import echo, print_json, print_table


@click.group(invoke_without_command=True)
@click.option("--changes", type=click.IntRange(min=0), default=20, show_default=True, help="How many changes to show.")
@json_option
@click.pass_context
def state(context: click.Context, changes: int, as_json: bool) -> int:
    """Checkpoint, cursor and watermark of each record source, and their last changes."""
    from loader.config import load_settings
    from loader.runs.state import read_state
    from loader.warehouse import open_warehouse

    if context.invoked_subcommand is not None:
        return 0
    current, history = read_state(open_warehouse(load_settings()), changes)
    if as_json:
        print_json({"state": current, "changes": history, "next_command": "make status"})
        return 0
    _table("state", current)
    _table(f"last changes (at most {changes})", history)
    echo("next: make status")
    return 0


@state.command()
@click.option("--kind", type=click.Choice(["checkpoint", "cursor", "watermark"]), required=True)
@click.option("--source", "record_source", metavar="RECORD_SOURCE", required=True, help="As in `loader state`.")
@click.option("--to", "value", metavar="INSTANT", required=True, help="ISO 8601 with an offset: 2026-04-17T00:00:00Z.")
@click.option("--reason", required=True, help="Why; kept in the history.")
@lock_option
@json_option
def reset(kind: str, record_source: str, value: str, reason: str, lock_timeout: float | None, as_json: bool) -> int:
    """Set one state object, backwards too, with a reason. No line is read or dropped by it: state only classifies."""
    from loader.errors import CommandUsageError
    from loader.runs.state import reset_state
    from loader.warehouse import open_warehouse

    settings = settings_of(lock_timeout)
    if not reason.strip():
        raise CommandUsageError(
            "--reason: got nothing, expected why the state is reset; nothing was changed",
            next_command="loader state reset --help",
        )
    change = reset_state(
        open_warehouse(settings), kind, record_source, _instant(value), reason, wait_seconds=settings.lock_timeout
    )
    if as_json:
        print_json({**change, "next_command": "loader state"})
    else:
        _table("reset", [change])
        echo("next: loader state")
    return 0


def _instant(text: str) -> datetime:
    from loader.contract.timestamps import TimestampError, parse_instant
    from loader.errors import CommandUsageError

    try:
        return parse_instant(text)
    except TimestampError as error:
        raise CommandUsageError(
            f"--to: got {text!r}, expected an instant with an offset ({error}); nothing was changed",
            next_command="loader state reset --help",
        ) from error


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        print_table(title, list(rows[0]), [list(row.values()) for row in rows])
    else:
        echo(f"{title}: none")
