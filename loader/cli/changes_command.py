"""`loader changes`: what changed for readers, for whoever follows it without SQL."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import json_option, kind_option
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from loader.release import Change, Followed
    from loader.screen import Screen
    from loader.warehouse import Warehouse


@click.command()
@click.option(
    "--after", type=click.IntRange(min=0, max=2**63 - 1), metavar="N", help="Changes after number N, oldest first."
)
@click.option(
    "--limit", type=click.IntRange(min=1, max=100_000), default=20, show_default=True, help="How many at most."
)
@kind_option
@click.option("--rows", "with_rows", is_flag=True, help="With --json: beside each, its row as readers see it now.")
@json_option
def changes(after: int | None, limit: int, kind: str | None, with_rows: bool, as_json: bool) -> int:
    """What changed for readers, record by record: by releases, restores and erasures.

    Numbers only grow: who has read up to one asks for what came `--after` it, and misses none. Without that: the
    newest. The newest change of a record counts; docs/serving.md says how to follow. Writes nothing.
    """
    if with_rows and not as_json:
        raise click.UsageError("--rows: expected --json with it.")
    from loader.config import load_settings
    from loader.release import follow
    from loader.screen import next_lines
    from loader.warehouse import open_warehouse

    warehouse = open_warehouse(load_settings())
    with (
        closing(warehouse.connect(application_name="omnisupport-changes")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("set transaction isolation level repeatable read read only")
        found = follow(cursor, after, limit, kind)
    of_kind = "" if kind is None else f" KIND={kind}"
    next_command = f"make changes AFTER={found.last}{of_kind}" if found.is_more else "make status"
    if as_json:
        print_json(
            {
                "changes": _as_records(warehouse, found, with_rows=with_rows),
                "last": found.last,
                "is_more": found.is_more,
                "timeline_id": found.timeline_id,
                "next_command": next_command,
            }
        )
        return 0
    screen = surface()
    show([*changes_lines(screen, found, after), *next_lines(screen, next_command)])
    return 0


def _as_records(warehouse: Warehouse, found: Followed, *, with_rows: bool) -> list[dict[str, Any]]:
    """JSON-ready; with the rows, null where readers see none, digit for digit as PostgreSQL writes them."""
    if not with_rows:
        return [change.as_record() for change in found.changes]
    from orjson import Fragment

    from loader.release import shown_rows

    rows = shown_rows(warehouse, found.changes)

    def row_of(change: Change) -> Fragment | None:
        row = rows.get((change.record_kind, change.record_key))
        return None if row is None else Fragment(row)

    return [{**change.as_record(), "row": row_of(change)} for change in found.changes]


def changes_lines(screen: Screen, found: Followed, after: int | None) -> list[str]:
    """How many, and each with its number, what it is, of which record, and by which release."""
    from loader.screen import amount, table

    since = "" if after is None else f" after number {after}"
    if not found.changes:
        return [f"Nothing changed for readers{since}." if found.newest else "Readers were shown nothing yet."]
    last = f"the last is number {screen.words(found.last)}{', and more follow' if found.is_more else ''}"
    answer = f"{amount(screen, len(found.changes), 'change')} for readers{since}; {last}."
    rows = [
        (
            each.change_number,
            each.operation,
            each.record_kind,
            each.record_key,
            "" if each.data_release_id is None else f"release {each.data_release_id}",
        )
        for each in found.changes
    ]
    return [answer, "", *table(screen, rows)]
