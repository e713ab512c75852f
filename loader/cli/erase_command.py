"""`loader erase`: take one customer out of everything that the project keeps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from loader.cli.options import json_option, lock_option, settings_of
from loader.cli.output import echo, print_json, print_table, progress
from loader.errors import CommandUsageError
from loader.printable import pasted

if TYPE_CHECKING:
    from loader.config import Settings
    from loader.privacy.erase import Erased
    from loader.privacy.plan import ErasurePlan

_COUNTS = ("line_count", "event_count", "ticket_count", "reject_count", "released_row_count", "mention_count")


@click.command()
@click.option("--customer", required=True, help="The customer_id; a plan does not hold it, so it is given each time.")
@click.option("--reason", help="Why, without naming the customer; kept for good.")
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
    customer: str, reason: str | None, plan_file: Path | None, mode: str, lock_timeout: float | None, as_json: bool
) -> int:
    """Remove a customer's records from the archive, Bronze, Silver and every stored release; tombstones stay."""
    from loader.privacy.erase import plan_erasure
    from loader.privacy.plan import read_erasure_plan

    settings = settings_of(lock_timeout)
    if plan_file is not None:
        if reason is not None or mode == "execute":
            raise CommandUsageError(
                "erase: got --plan with --reason or --mode, expected --plan alone: the plan has its reason; nothing was"
                " started",
                next_command=f"loader erase --customer '<id>' --plan {plan_file}",
            )
        return _apply(settings, customer, read_erasure_plan(settings, plan_file), as_json)
    if reason is None:
        raise CommandUsageError(
            "erase: expected --reason, or --plan; nothing was started",
            next_command="loader erase --customer <id> --reason 'request 4711 of 2026-11-20'",
        )
    plan = plan_erasure(settings, customer, reason)
    path = plan.write(settings)
    if mode == "execute":
        return _apply(settings, customer, plan.as_record(settings), as_json)
    _print_plan(settings, plan, path, as_json)
    return 0


def _apply(settings: Settings, customer: str, record: dict[str, object], as_json: bool) -> int:
    from loader.privacy.erase import erase as erase_customer

    with progress() as report:
        erased = erase_customer(settings, customer, record, report)
    _print_erased(erased, settings, as_json)
    return 0


def _print_plan(settings: Settings, plan: ErasurePlan, path: Path, as_json: bool) -> None:
    next_command = f"loader erase --customer '<id>' --plan {pasted(settings.named(path))}"
    record = plan.as_record(settings)
    if as_json:
        print_json({**record, "next_command": next_command})
        return
    echo(f"plan {plan.plan_id}: erase customer {record['customer_hash'][:12]}…, by {plan.operator}")
    print_table("would be removed", _COUNTS, [[record[name] for name in _COUNTS]])
    columns = ("asset_id", "line_count", "is_archived", "source_paths")
    print_table("archived objects", columns, [[asset[name] for name in columns] for asset in record["assets"]])
    echo(f"partitions: {', '.join(record['partitions']) or 'none'}")
    echo("mentions are lines of others in which the id stands; they stay")
    if plan.look_alikes:
        echo("these ids look the same and are other customers; they stay, unless each is erased by itself:")
        for customer, _, event_count in plan.look_alikes:
            echo(f"  {customer!r}: {event_count} event(s)")
    echo(f"next: {next_command}")


def _print_erased(erased: Erased, settings: Settings, as_json: bool) -> None:
    next_command = "loader verify --evidence"
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
    echo(f"erased: {', '.join(f'{count} {place}' for place, count in erased.removed.items())}")
    if erased.source_paths:
        echo("these files still hold the person, and are not the warehouse's to change:")
        for path in erased.source_paths:
            echo(f"  {path}")
    if erased.not_searched:
        echo(f"not searched, since omni_loader may not read them: {', '.join(erased.not_searched)}")
    if erased.mention_count:
        echo(f"{erased.mention_count} line(s) or row(s) of others mention the id; they stay")
    echo(f"evidence: {settings.named(erased.report_path)}")
    echo(f"next: {next_command}")
