"""`loader alert`: who is told, and was told, of what."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from loader.cli.options import json_option
from loader.cli.output import print_json, show, surface

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.alerts import Delivery
    from loader.config import Settings
    from loader.screen import Screen
    from loader.warehouse import Warehouse

_AGAIN = "make alert ONCE=1"


@click.command()
@click.option("--once", is_flag=True, help="Tell whoever does not know it yet; without it nobody is told anything.")
@json_option
def alert(once: bool, as_json: bool) -> int:
    """Tell the owners of a kind when it changes whether readers may rely on a day.

    Each channel of infra/alerts.yml is told once of a change, with the next command and the page. What did not arrive
    is sent again by the next command, and ends this one with exit code 3.
    """
    from loader.config import load_settings
    from loader.screen import next_lines
    from loader.warehouse import open_warehouse

    settings = load_settings()
    deliveries = tell_owners(settings, open_warehouse(settings), is_sent=once)
    failed = [each for each in deliveries if each.failure]
    next_command = _AGAIN if failed or not once else "make status"
    if as_json:
        from loader.alerts import records_of

        print_json({"deliveries": records_of(deliveries), "next_command": next_command})
    else:
        screen = surface(err=bool(failed))
        show(alert_lines(screen, deliveries, is_sent=once), err=bool(failed))
        show(next_lines(screen, next_command), err=bool(failed))
    return 3 if failed else 0


def tell_owners(settings: Settings, warehouse: Warehouse, *, is_sent: bool) -> Sequence[Delivery]:
    """What each channel was told just now; without `is_sent` what it would be. Raises CommandUsageError for rules that
    cannot be understood."""
    from loader.alerts import alerts_of, read_rules, tell, variables_of_shell
    from loader.status import read_status

    rules = read_rules(settings.alerts, variables_of_shell())
    decisions = alerts_of(read_status(warehouse, None, settings=settings))
    with closing(warehouse.connect(application_name="omnisupport-alert")) as connection:
        return tell(connection, rules, decisions, settings.report_dir / "site", datetime.now(UTC), is_sent=is_sent)


def alert_lines(screen: Screen, deliveries: Sequence[Delivery], *, is_sent: bool) -> list[str]:
    """How many are told, and below each channel what it hears."""
    from loader.screen import amount, paragraph

    if not deliveries:
        return ["Everybody knows what there is to know."]
    lines = []
    for each in deliveries:
        verb = "was told of" if is_sent else "would be told of"
        if each.is_quiet:
            verb = "is told after the quiet hours of"
        if each.failure:
            verb = "could NOT be told of"
        why = f": {each.failure}" if each.failure else ""
        head = f"{each.channel} {verb} {amount(screen, len(each.decisions), 'change')}{why}"
        lines += paragraph(screen, head, tone="bad" if each.failure else None)
        for decision in each.decisions:
            lines += paragraph(screen, decision.sentence, indent="  ", hanging="    ")
    return lines


def tell_afterwards(settings: Settings, warehouse: Warehouse) -> None:
    """After a command that writes. Raises InfrastructureError for what did not arrive: the next one sends it again."""
    from loader.errors import InfrastructureError

    failed = [each for each in tell_owners(settings, warehouse, is_sent=True) if each.failure]
    if failed:
        raise InfrastructureError("; ".join(f"{each.channel}: {each.failure}" for each in failed), next_command=_AGAIN)
