"""`loader site`, and the site after a command that changed what it says."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from threading import Thread
from typing import TYPE_CHECKING

import click

from loader.cli.options import json_option
from loader.cli.output import print_error, print_json, show, surface

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.screen import Screen
    from loader.site import Made
    from loader.warehouse import Warehouse

_CHANGING = ("ingest", "apply", "release", "hold", "erase", "build", "state", "verify")
# These only plan, without it.
_RECOVERING, _EXECUTES = ("retry", "rerun", "replay", "backfill", "restore", "expire"), "execute"
# A command ends no later, whatever the site waits for.
_LONGEST_SECONDS = 30.0


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
    made = _make(settings, open_warehouse(settings))
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


def _make(settings: Settings, warehouse: Warehouse) -> Made:
    from loader.cli.status_screen import said_first, sentence
    from loader.screen import Screen
    from loader.site import alone, make_site
    from loader.status import read_status

    with alone(settings):
        status = read_status(warehouse, None, settings=settings)
        return make_site(settings, warehouse, status, sentence(Screen(), status), said_first(status))


def changes_pages(words: Sequence[str]) -> bool:
    """Whether a command of these words may have changed what the site says, were it well or badly."""
    if not words or {"--help", "-h"}.intersection(words):
        return False
    return words[0] in _CHANGING or (words[0] in _RECOVERING and _EXECUTES in words)


def _is_made(settings: Settings) -> bool:
    # Where there is none, nothing is imported for it.
    if not (settings.report_dir / "site").is_dir():
        return False
    from loader.site import is_made

    return is_made(settings)


def keep_up_to_date() -> None:
    """Make the site, if there is one. The command has answered and keeps its exit code: what goes wrong is a line on
    standard error, and nobody waits for long."""
    said: list[str] = []

    def work() -> None:
        from loader.config import load_settings
        from loader.warehouse import answering_warehouse

        try:
            settings = load_settings()
            if _is_made(settings):
                # A server that is not there is started for no page.
                warehouse = answering_warehouse(settings)
                said.extend([] if warehouse else ["the warehouse does not answer"])
                if warehouse is not None:
                    _make(settings, warehouse)
        except Exception as error:
            # Whatever it is, the run is none of it.
            said.append((str(error).strip().splitlines() or [type(error).__name__])[0])

    maker = Thread(target=work, daemon=True)
    try:
        maker.start()
        maker.join(_LONGEST_SECONDS)
        if maker.is_alive():
            said = [f"it took longer than {_LONGEST_SECONDS:.0f} seconds"]
        if said:
            sys.stdout.flush()
            print_error(
                f"the site was not made: {said[0]}; the command itself has ended", "make site", 0, as_json=False
            )
    except (KeyboardInterrupt, OSError):
        # Nobody reads on, or wants to wait.
        return
