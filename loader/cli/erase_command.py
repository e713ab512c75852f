"""`loader erase`: take one person out of everything that the project keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from loader.cli.options import json_option, lock_option, settings_of
from loader.cli.output import print_json, progress, show, surface
from loader.errors import CommandUsageError
from loader.printable import pasted

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.erasure import Erased, ErasurePlan
    from loader.screen import Screen

# In the order in which they are told: of all kinds, and of each.
_COUNTS = {
    "line_count": "lines of the archive",
    "mention_count": "lines of others that mention the id: they stay",
}
_OF_A_KIND = {
    "record_count": "records",
    "event_count": "events",
    "reject_count": "rejected lines",
    "released_row_count": "released rows",
}


@click.command()
@click.option(
    "--person",
    "--customer",
    "person",
    required=True,
    help="The id that stands for the person, as records have it; a plan does not hold it, so it is given each time.",
)
@click.option("--reason", help="Why, without naming the person; kept for good.")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="Apply this reviewed plan.")
@click.option(
    "--mode",
    type=click.Choice(["dry-run", "execute"]),
    default="dry-run",
    help="Only plan (default), or apply at once.",
)
@lock_option
@json_option
def erase(
    person: str, reason: str | None, plan_file: Path | None, mode: str, lock_timeout: float | None, as_json: bool
) -> int:
    """Take one person out of everything that is kept; plan, then apply.

    Records of every kind leave the archive, Bronze, Silver and every stored release; tombstones stay.
    """
    from loader.erasure import plan_erasure, read_erasure_plan
    from loader.plans import write_plan

    settings = settings_of(lock_timeout)
    if plan_file is not None:
        if reason is not None or mode == "execute":
            raise CommandUsageError(
                "erase: got --plan with --reason or --mode, expected --plan alone: the plan has its reason; nothing was"
                " started",
                next_command=f"make erase PERSON='<id>' PLAN={plan_file}",
            )
        return _apply(settings, person, read_erasure_plan(settings, plan_file), as_json)
    if reason is None:
        raise CommandUsageError(
            "erase: expected --reason, or --plan; nothing was started",
            next_command="make erase PERSON=<id> REASON='request 4711 of 2026-11-20'",
        )
    plan = plan_erasure(settings, person, reason)
    path = write_plan(settings, plan)
    if mode == "execute":
        return _apply(settings, person, plan.as_record(settings), as_json)
    _print_plan(settings, plan, path, as_json)
    return 0


def _apply(settings: Settings, person: str, record: dict[str, object], as_json: bool) -> int:
    from loader.erasure import erase as erase_person

    with progress() as report:
        erased = erase_person(settings, person, record, report)
    _print_erased(erased, settings, as_json)
    return 0


def _print_plan(settings: Settings, plan: ErasurePlan, path: Path, as_json: bool) -> None:
    from loader.screen import next_lines

    next_command = f"make erase PERSON='<id>' PLAN={pasted(settings.named(path))}"
    record = plan.as_record(settings)
    if as_json:
        print_json({**record, "next_command": next_command})
        return
    screen = surface()
    show([*erasure_lines(screen, plan, record), *next_lines(screen, next_command)])


def erasure_lines(screen: Screen, plan: ErasurePlan, record: Mapping[str, Any]) -> list[str]:
    """What would be removed, from which files, and what stays although it looks alike."""
    from loader.screen import amount, listing, paragraph, shortened, table

    lines = paragraph(
        screen,
        f"Plan: erase person {record['customer_hash'][:12]}… (a keyed hash), by {plan.operator}. Nothing has been"
        " removed yet.",
    )
    lines += table(screen, [(words, record[name]) for name, words in _COUNTS.items() if record[name]], indent="  ")
    of_kinds = [(counts["record_kind"], *(counts[name] for name in _OF_A_KIND)) for counts in record["kinds"]]
    lines += table(screen, of_kinds, ["", *_OF_A_KIND.values()], indent="  ")
    if not of_kinds and not any(record[name] for name in _COUNTS):
        lines += paragraph(screen, "Nothing of this person is kept.", indent="  ")
    days, paths = record["partitions"], [path for asset in record["assets"] for path in asset["source_paths"]]
    facts = [("days", f"{days[0]} … {days[-1]} ({len(days)})" if len(days) > 3 else ", ".join(days))] if days else []
    if paths:
        shown = ", ".join(ascii(path) if not path.isprintable() else path for path in paths[:3])
        more = f" and {amount(screen, len(paths) - 3, 'more file')}" if len(paths) > 3 else ""
        facts.append(("files", f"{shown}{more} (their lines are blanked in the archive, whole files removed)"))
    lines += listing(screen, [*facts, ("plan", shortened(plan.plan_id))])
    gone = [asset for asset in record["assets"] if not asset["is_archived"]]
    if gone:
        lines += paragraph(screen, f"{amount(screen, len(gone), 'object')} of the archive is lost.", indent="  ")
    if plan.look_alikes:
        lines += paragraph(screen, "These ids look the same and are others'; they stay:")
        lines += table(
            screen, [(ascii(name), amount(screen, count, "event")) for name, _, count in plan.look_alikes], indent="  "
        )
    return lines


def _print_erased(erased: Erased, settings: Settings, as_json: bool) -> None:
    from loader.screen import next_lines

    next_command = "make verify EVIDENCE=1"
    if as_json:
        print_json(
            {
                "erasure_id": erased.erasure_id,
                "removed": dict(erased.removed),
                "still_at_the_source": list(erased.source_paths),
                "mention_count": erased.mention_count,
                "not_searched": list(erased.not_searched),
                "report_path": settings.named(erased.report_path),
                "next_command": next_command,
            }
        )
        return
    screen = surface()
    show([*erased_lines(screen, erased, settings.named(erased.report_path)), *next_lines(screen, next_command)])


def erased_lines(screen: Screen, erased: Erased, report: str) -> list[str]:
    from loader.screen import Failure, amount, failures, listing, table

    lines = [
        "The person is erased.",
        *table(screen, list(erased.removed.items()), indent="  "),
    ]
    lines += failures(
        screen,
        [
            Failure("", "The person still stands in what was delivered, which is not the warehouse's to change:", path)
            for path in erased.source_paths
        ],
        indent="",
    )
    lines += failures(
        screen,
        [Failure("", "Not searched, since omni_loader may not read it:", name) for name in erased.not_searched],
        noun="relation",
        indent="",
    )
    if erased.mention_count:
        lines.append(
            f"{amount(screen, erased.mention_count, 'line or row', 'lines or rows')} of others mention the id and stay."
        )
    return [*lines, *listing(screen, [("evidence", report)], indent="")]
