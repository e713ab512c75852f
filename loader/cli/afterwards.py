"""What follows a command that changed what people are told: the site and the alerts, where there are any."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from threading import Thread
from typing import TYPE_CHECKING

from loader.cli import alert_command, site_command
from loader.cli.output import print_error

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.warehouse import Warehouse

_CHANGING = ("ingest", "apply", "release", "hold", "erase", "build", "state", "verify")
# These only plan, without it.
_RECOVERING, _EXECUTES = ("retry", "rerun", "replay", "backfill", "restore", "expire"), "execute"
# A command ends no later, whatever waits for whom.
_LONGEST_SECONDS = 30.0
_SITE, _ALERT = ("the site was not made", "make site"), ("the owners were not told", "make alert ONCE=1")


def changes_what_is_told(words: Sequence[str]) -> bool:
    """Whether a command of these words may have changed what people are told, were it well or badly."""
    if not words or {"--help", "-h"}.intersection(words):
        return False
    return words[0] in _CHANGING or (words[0] in _RECOVERING and _EXECUTES in words)


def keep_up_to_date() -> None:
    """Make the site and tell the owners, where there is a site, and a file of rules. The command has answered and keeps
    its exit code: what goes wrong is a line on standard error, and nobody waits for long."""
    said: list[tuple[str, tuple[str, str]]] = []
    at_work = [_SITE]
    worker = Thread(target=_work, args=(said, at_work), daemon=True)
    try:
        worker.start()
        worker.join(_LONGEST_SECONDS)
        if worker.is_alive():
            said.append((f"it took longer than {_LONGEST_SECONDS:.0f} seconds", at_work[-1]))
        sys.stdout.flush()
        for reason, (what, next_command) in said:
            print_error(f"{what}: {reason}; the command itself has ended", next_command, 0, as_json=False)
    except (KeyboardInterrupt, OSError):
        # Nobody reads on, or wants to wait.
        return


def _work(said: list[tuple[str, tuple[str, str]]], at_work: list[tuple[str, str]]) -> None:
    """`said`: what went wrong, and of what; the last of `at_work` is what is being done."""
    from loader.config import load_settings
    from loader.warehouse import answering_warehouse

    try:
        settings = load_settings()
        wanted = [(_SITE, _make_site)] if _is_made(settings) else []
        wanted += [(_ALERT, alert_command.tell_afterwards)] if settings.alerts.is_file() else []
        # A server that is not there is started for neither.
        warehouse = answering_warehouse(settings) if wanted else None
    except Exception as error:
        said.append((_first_line(error), _SITE))
        return
    for each, do in wanted:
        at_work.append(each)
        try:
            if warehouse is None:
                said.append(("the warehouse does not answer", each))
            else:
                do(settings, warehouse)
        except Exception as error:
            # Whatever it is, the run is none of it.
            said.append((_first_line(error), each))


def _is_made(settings: Settings) -> bool:
    # Where there is none, nothing is imported for it.
    if not (settings.report_dir / "site").is_dir():
        return False
    from loader.site import is_made

    return is_made(settings)


def _make_site(settings: Settings, warehouse: Warehouse) -> None:
    site_command.make(settings, warehouse)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
