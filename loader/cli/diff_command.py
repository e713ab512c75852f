"""`loader diff`, and the line of it that stands before whatever moves what readers see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import html_option, json_option, kind_option
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.diff import Changes
    from loader.screen import Screen


@click.command()
@click.argument("old", required=False, type=click.IntRange(min=1), metavar="[A]")
@click.argument("new", required=False, type=click.IntRange(min=1), metavar="[B]")
@click.option("--partition", metavar="YYYY-MM-DD[,…]", help="These UTC days only.")
@click.option("--from", "first", metavar="YYYY-MM-DD", help="First day of a window.")
@click.option("--to", "last", metavar="YYYY-MM-DD", help="Last day of the window, included.")
@kind_option
@html_option
@json_option
def diff(
    old: int | None,
    new: int | None,
    partition: str | None,
    first: str | None,
    last: str | None,
    kind: str | None,
    html: str | None,
    as_json: bool,
) -> int:
    """Compare what readers see with what waits, or two releases: records added, removed, changed, moved.

    A and B are numbers of releases; without B, A is compared with what readers see now. Columns are counted one by one;
    values stand there where the kind's declaration lets them be shown. Changes nothing.
    """
    from loader.config import load_settings
    from loader.diff import Asked
    from loader.diff import diff as compare
    from loader.screen import next_lines
    from loader.warehouse import open_warehouse

    settings = load_settings()
    found = compare(settings, open_warehouse(settings), Asked(old, new, _days(partition, first, last), kind))
    next_command = "make status"
    if html:
        _write_page(html, found, is_waiting=old is None)
    if as_json:
        print_json(
            {
                "old_release_id": old,
                "new_release_id": new,
                "kinds": [{**asdict(each), "sentence": each.sentence} for each in found],
                "next_command": next_command,
            }
        )
        return 0
    show(diff_lines(surface(), found, is_waiting=old is None))
    show(next_lines(surface(), next_command))
    return 0


def _days(partition: str | None, first: str | None, last: str | None) -> list[date] | None:
    """Those that are asked for; None: all."""
    from loader.config import parse_partition

    if partition is not None and first is None and last is None:
        return sorted({parse_partition(day) for day in partition.split(",")})
    if (first is None) != (last is None) or (partition is not None and first is not None):
        raise click.UsageError("expected --partition, or --from and --to.")
    if first is None or last is None:
        return None
    start, end = parse_partition(first), parse_partition(last)
    return [start + timedelta(days=place) for place in range((end - start).days + 1)]


def _write_page(path: str, found: Sequence[Changes], *, is_waiting: bool) -> None:
    """Replaces what is there. Raises InfrastructureError."""
    from pathlib import Path

    from loader.report_files import write_file
    from loader.site import single_page

    answer = "What readers will see" if is_waiting else "What differs between the two"
    if all(each.is_empty for each in found):
        answer = nothing_differs(is_waiting=is_waiting)
    write_file(Path(path), single_page("diff.html", kinds=found, answer=answer, command="make diff"))


def nothing_differs(*, is_waiting: bool) -> str:
    return "Nothing waits: readers see what is proved." if is_waiting else "Readers saw the same in both."


def diff_lines(screen: Screen, found: Sequence[Changes], *, is_waiting: bool) -> list[str]:
    """What differs, kind by kind; what does not is summed up."""
    from loader.screen import paragraph

    differing = [each for each in found if not each.is_empty]
    if not differing:
        return paragraph(screen, nothing_differs(is_waiting=is_waiting))
    lines: list[str] = []
    for changes in differing:
        head = f"{changes.record_kind}: {'readers will see ' if is_waiting else ''}{changes.sentence}"
        lines += [*([""] if lines else []), *paragraph(screen, head), *_changes_lines(screen, changes)]
    same = [each.record_kind for each in found if each.is_empty]
    return lines + ([*paragraph(screen, f"The same: {', '.join(same)}.")] if same else [])


def _changes_lines(screen: Screen, changes: Changes) -> list[str]:
    """Its columns with their counts, then a record of each sort."""
    from loader.screen import Column, listing, table

    rows = [
        (column.name, column.count, ", ".join(_sample(screen, sample) for sample in column.samples) or "not shown")
        for column in changes.columns
    ]
    if not rows and changes.changed:
        rows = [("", changes.changed, "differ only in where they came from")]
    examples = [(f"{state}, e.g.", key) for state, key in changes.examples.items()]
    return [
        *table(screen, rows, ("", "", Column(is_prose=True)), indent="  "),
        *listing(screen, examples),
    ]


def _sample(screen: Screen, sample: tuple[str, int]) -> str:
    text, count = sample
    return f"{text} {screen.words(count)}" if count > 1 else text


def before_release(settings: Settings, days: Sequence[date], kind: str | None) -> str:
    """What a release of these days will let readers see, in one line."""
    from loader.diff import foretell
    from loader.warehouse import open_warehouse

    return _foretold(foretell(settings, open_warehouse(settings), days, kind))


def before_pointers(settings: Settings, pointers: Sequence[Mapping[str, Any]]) -> str:
    """What readers will see once the pointers of a plan have moved, in one line."""
    from loader.diff import foretell_pointers
    from loader.partition import Partition
    from loader.warehouse import open_warehouse

    moved = {
        Partition(each["record_kind"], date.fromisoformat(each["partition_key"])): (
            each["shown_release_id"],
            each["target_release_id"],
        )
        for each in pointers
    }
    return _foretold(foretell_pointers(settings, open_warehouse(settings), moved))


def _foretold(found: Sequence[Changes]) -> str:
    told = {each.record_kind: each.sentence for each in found if not each.is_empty}
    if len(told) < 2:
        return next(iter(told.values()), "what they see now")
    return "; ".join(f"{kind} {sentence}" for kind, sentence in told.items())
