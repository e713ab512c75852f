"""`loader site`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from loader.cli.options import json_option
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.screen import Screen
    from loader.site import Made
    from loader.warehouse import Warehouse


@click.command()
@json_option
def site(as_json: bool) -> int:
    """Pages for people that need no server: calendar, days, runs, lineage.

    Writes reports/site, of an earlier site only what is not so any more. Each command that changes what it says keeps
    it up to date from then on.
    """
    from loader.config import load_settings
    from loader.screen import next_lines
    from loader.warehouse import open_warehouse

    settings = load_settings()
    made = make(settings, open_warehouse(settings))
    next_command = "make status"
    if as_json:
        counts = {name: getattr(made, name) for name in ("page_count", "written_count", "removed_count")}
        print_json({"index": str(made.index), **counts, "next_command": next_command})
    else:
        show(site_lines(surface(), made, settings.named(made.index)))
        show(next_lines(surface(), next_command))
    return 0


def site_lines(screen: Screen, made: Made, index: str) -> list[str]:
    """What was written, and the page to open."""
    from loader.screen import amount, listing, paragraph

    removed = f"; {amount(screen, made.removed_count, 'page')} went" if made.removed_count else ""
    told = f"The site has {amount(screen, made.page_count, 'page')}, {screen.words(made.written_count)} written now"
    return [*paragraph(screen, f"{told}{removed}."), *listing(screen, [("open", index)], indent="  ")]


def make(settings: Settings, warehouse: Warehouse) -> Made:
    """The site as the warehouse stands now."""
    from loader.cli.status_screen import said_first, sentence
    from loader.screen import Screen
    from loader.site import alone, make_site
    from loader.status import read_status

    with alone(settings):
        status = read_status(warehouse, None, settings=settings)
        return make_site(settings, warehouse, status, sentence(Screen(), status), said_first(status))
