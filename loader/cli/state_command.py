"""`loader state` and `loader state reset`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import json_option, kind_option, lock_option, settings_of
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.screen import Screen


@click.group(invoke_without_command=True)
@click.option("--changes", type=click.IntRange(min=0), default=20, show_default=True, help="How many changes to show.")
@kind_option
@json_option
@click.pass_context
def state(context: click.Context, changes: int, kind: str | None, as_json: bool) -> int:
    """Checkpoint, cursor and watermark of each record source, and their last changes."""
    from loader.config import load_settings
    from loader.runs import read_state
    from loader.screen import next_lines
    from loader.warehouse import open_warehouse

    if context.invoked_subcommand is not None:
        return 0
    settings = load_settings()
    dataset = None if kind is None else _dataset(settings, kind)
    current, history = read_state(open_warehouse(settings), dataset, changes)
    if as_json:
        print_json({"state": current, "changes": history, "next_command": "make status"})
        return 0
    screen = surface()
    show([*state_lines(screen, current, history), *next_lines(screen, "make status")])
    return 0


@state.command()
@click.option(
    "--object",
    "state_object",
    type=click.Choice(["checkpoint", "cursor", "watermark"]),
    required=True,
    help="Which of the three state objects.",
)
@click.option("--source", "record_source", metavar="RECORD_SOURCE", required=True, help="As in `make state`.")
@click.option("--to", "value", metavar="INSTANT", required=True, help="ISO 8601 with an offset: 2026-04-17T00:00:00Z.")
@click.option("--kind", metavar="KIND", help="The kind of records (default: the default kind).")
@click.option("--reason", required=True, help="Why; kept in the history.")
@lock_option
@json_option
def reset(
    state_object: str,
    record_source: str,
    value: str,
    kind: str | None,
    reason: str,
    lock_timeout: float | None,
    as_json: bool,
) -> int:
    """Set one state object, backwards too, with a reason. No line is read or dropped by it: state only classifies."""
    from loader.errors import CommandUsageError
    from loader.runs import StateObject, reset_state
    from loader.screen import next_lines
    from loader.warehouse import open_warehouse

    settings = settings_of(lock_timeout)
    if not reason.strip():
        raise CommandUsageError(
            "--reason: got nothing, expected why the state is reset; nothing was changed",
            next_command="loader state reset --help",
        )
    change = reset_state(
        open_warehouse(settings),
        StateObject(_dataset(settings, kind), state_object, record_source),
        _instant(value),
        reason,
        wait_seconds=settings.lock_timeout,
    )
    if as_json:
        print_json({**change, "next_command": "make state"})
    else:
        screen = surface()
        show(["The state is reset.", *changes_lines(screen, [change]), *next_lines(screen, "make state")])
    return 0


def _dataset(settings: Settings, record_kind: str | None) -> str:
    from loader.kinds import landed_kind, load_kinds

    landing = landed_kind(load_kinds(settings.project_root / "contracts"), record_kind).landing
    assert landing is not None
    return landing.dataset


def _instant(text: str) -> datetime:
    from loader.contract import TimestampError, parse_instant
    from loader.errors import CommandUsageError

    try:
        return parse_instant(text)
    except TimestampError as error:
        raise CommandUsageError(
            f"--to: got {text!r}, expected an instant with an offset ({error}); nothing was changed",
            next_command="loader state reset --help",
        ) from error


def state_lines(
    screen: Screen, current: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The three of each record source side by side, and below them what moved them; with the dataset where there are
    several."""
    from loader.screen import table

    if not current:
        return ["No run has ended clean yet: nothing is recorded."]
    lines = []
    has_several = len({row["dataset"] for row in current}) > 1
    for dataset, source in dict.fromkeys((row["dataset"], row["record_source"]) for row in current):
        mine = [row for row in current if (row["dataset"], row["record_source"]) == (dataset, source)]
        of = [(row["state_kind"], _shown(row["value_at"])) for row in mine]
        lines += [screen.words(f"{source} in {dataset}" if has_several else source), *table(screen, of, indent="  ")]
    if history:
        lines += ["", "the last changes" if len(history) > 1 else "the last change", *changes_lines(screen, history)]
    return lines


def changes_lines(screen: Screen, history: Sequence[Mapping[str, Any]]) -> list[str]:
    """When, what, from where to where, and why where a person did it."""
    from loader.screen import table

    rows = []
    has_several = len({row["dataset"] for row in history}) > 1
    for row in history:
        was = screen.words(_shown(row["old_value_at"])) or "nothing"
        by = f"   {row['dataset']}" if has_several else ""
        by += f"   {row['operator']}: {row['reason']}" if row["reason"] else ""
        rows.append(
            (_shown(row["changed_at"]), row["state_kind"], f"{was} → {screen.words(_shown(row['new_value_at']))}{by}")
        )
    return table(screen, rows, indent="  ")


def _shown(instant: str | None) -> datetime | str | None:
    """To the second; one that Python cannot hold stays text."""
    try:
        return instant and datetime.fromisoformat(instant)
    except ValueError:
        return instant
