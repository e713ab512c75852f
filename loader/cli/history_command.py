"""`loader history`: what happened, event by event."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import groupby
from typing import TYPE_CHECKING

import click

from loader.cli.options import json_option
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from datetime import date

    from loader.evidence import Event, History
    from loader.partition import Partition
    from loader.screen import Mark, Screen

# So many days of an event are named one by one, by their first and last.
_WINDOWS_SHOWN = 3


@click.command()
@click.option(
    "--after", type=click.IntRange(min=0, max=2**63 - 1), metavar="N", help="Events after number N, oldest first."
)
@click.option(
    "--limit", type=click.IntRange(min=1, max=10_000), default=20, show_default=True, help="How many events at most."
)
@json_option
def history(after: int | None, limit: int, as_json: bool) -> int:
    """What happened: runs, releases, holds, restores, expiries and erasures.

    Events stand in the order of the chain of evidence, whose numbers only grow: who has read up to one asks for what
    came `--after` it, and misses none. Without that: the newest. Writes nothing.
    """
    from loader.config import load_settings
    from loader.evidence import read_history
    from loader.screen import next_lines
    from loader.warehouse import open_warehouse

    with closing(open_warehouse(load_settings()).connect()) as connection, connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read read only")
        found = read_history(cursor, after, limit)
    next_command = f"make history AFTER={found.last}" if found.is_more else "make status"
    if as_json:
        print_json(
            {
                "events": [event.as_record() for event in found.events],
                "last": found.last,
                "is_more": found.is_more,
                "next_command": next_command,
            }
        )
        return 0
    screen = surface()
    show([*history_lines(screen, found, after), *next_lines(screen, next_command)])
    return 0


def history_lines(screen: Screen, found: History, after: int | None) -> list[str]:
    """How many, and each with its number, instant, what it was, how it ended, and of which days."""
    from loader.screen import amount, shortened, table

    since = "" if after is None else f" after number {after}"
    if not found.events:
        return [f"Nothing happened{since}." if after is not None else "Nothing has happened yet."]
    last = f"; the last is number {screen.words(found.last)}"
    answer = f"{amount(screen, len(found.events), 'event')}{since}{last}{', and more follow' if found.is_more else ''}."
    rows = [
        [
            event.number,
            event.written_at,
            event.verb,
            _ended(event),
            "   ".join(
                each
                for each in (_days(event.partitions), event.run_id and shortened(event.run_id), _who(event))
                if each
            ),
        ]
        for event in found.events
    ]
    return [answer, "", *table(screen, rows)]


def _ended(event: Event) -> Mark | str:
    from loader.screen import Mark

    if event.data_release_id is not None:
        return f"release {event.data_release_id}"
    return Mark(event.status, "good" if event.status in ("success", "warning", "skipped") else "bad")


def _who(event: Event) -> str:
    """Who wanted it, where a person said why."""
    return f"{event.operator}: {event.reason}" if event.reason else ""


def _days(partitions: Sequence[Partition]) -> str:
    """Days of each kind, those that follow each other by the first and the last."""
    told = []
    for kind, found in groupby(partitions, key=lambda each: each.record_kind):
        windows = _windows([each.day for each in found])
        shown = [f"{first}" if first == last else f"{first} … {last}" for first, last in windows[:_WINDOWS_SHOWN]]
        more = len(windows) - len(shown)
        told.append(f"{kind} {', '.join(shown)}{f' and {more} more' if more else ''}")
    return "; ".join(told)


def _windows(days: Sequence[date]) -> list[tuple[date, date]]:
    """Days in their order → the first and last of each that follow each other."""
    windows: list[tuple[date, date]] = []
    for day in days:
        if windows and (day - windows[-1][1]).days == 1:
            windows[-1] = windows[-1][0], day
        else:
            windows.append((day, day))
    return windows
