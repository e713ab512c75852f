"""What each channel was told last, and what it is still to be told: a row for each channel and subject."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from loader.alerts.channels import Message, UndeliveredError, send
from loader.alerts.decisions import Alert
from loader.alerts.rules import Channel, Rules
from loader.warehouse import fetch_rows

# Whoever tells at the same time waits, and then finds nothing left to tell.
_LOCK = "lock table ops.alert in share row exclusive mode"
_KNOWN = "select channel, subject, told, waiting from ops.alert"
_WAIT = """
insert into ops.alert (channel, subject, waiting) values (%(channel)s, %(subject)s, %(decision)s)
on conflict (channel, subject) do update set waiting = excluded.waiting, changed_at = now()
"""
# What is no channel or no day any more.
_DROP = "delete from ops.alert where channel = %(channel)s and subject = %(subject)s"
_FORGET = "update ops.alert set waiting = null where channel = %(channel)s and subject = %(subject)s"
_TOLD = """
update ops.alert set told = waiting, waiting = null, told_at = now(), failure = null, attempt_count = 0
where channel = %(channel)s and subject = any(%(subjects)s)
"""
_FAILED = """
update ops.alert set attempt_count = attempt_count + 1, failure = %(failure)s
where channel = %(channel)s and subject = any(%(subjects)s)
"""
# Nobody needs to hear again that nothing is wrong.
_OVER = """
delete from ops.alert
where waiting is null and (told is null or not (told ->> 'needs_somebody')::boolean)
"""
# So many are told one by one; the rest is counted.
_TOLD_ONE_BY_ONE = 20


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one channel was told, or was to be told. `failure`: why it is not known to have arrived; `is_quiet`: it
    waits for the end of the quiet hours."""

    channel: str
    decisions: tuple[Alert, ...]
    failure: str | None = None
    is_quiet: bool = False


def tell(
    connection: Any, rules: Rules, decisions: Sequence[Alert], site: Path, now: datetime, *, is_sent: bool = True
) -> list[Delivery]:
    """Tell each owner what has changed since it was told the last time, and what did not arrive then.

    A transaction for what is noted, and one for each channel: a message that was sent and whose commit is lost is sent
    again, none is left out, and no channel hears twice because another one is slow. `site`: the folder of the pages,
    where no address of them is known. Without `is_sent`: what would be told; nothing changes.
    """
    with connection, connection.cursor() as cursor:
        cursor.execute(_LOCK)
        _note(cursor, rules, decisions)
        waiting = _waiting(cursor)
        if not is_sent:
            connection.rollback()
            return [Delivery(channel, tuple(found)) for channel, found in waiting.items()]
        cursor.execute(_OVER)
    deliveries: list[Delivery] = []
    for name in waiting:
        with connection, connection.cursor() as cursor:
            cursor.execute(_LOCK)
            # Somebody else may have told it meanwhile.
            if found := _waiting(cursor).get(name):
                deliveries += _deliver(cursor, rules, rules.channels[name], found, (site, now))
                cursor.execute(_OVER)
    return deliveries


def _waiting(cursor: Any) -> dict[str, list[Alert]]:
    """What each channel is to be told, by its name."""
    waiting: dict[str, list[Alert]] = {}
    for row in fetch_rows(cursor, f"{_KNOWN} where waiting is not null order by channel, subject", {}):
        waiting.setdefault(row["channel"], []).append(Alert.read(row["waiting"]))
    return waiting


def _note(cursor: Any, rules: Rules, decisions: Iterable[Alert]) -> None:
    """Write down what each channel is to be told: only what is other than what it knows. Nobody hears of what was
    settled before anybody had heard of it."""
    known = {(row["channel"], row["subject"]): row for row in fetch_rows(cursor, _KNOWN, {})}
    wanted = {(name, each.subject): each for each in decisions for name in rules.channels_of(each.record_kind)}
    for channel, subject in set(known) - set(wanted):
        cursor.execute(_DROP, {"channel": channel, "subject": subject})
    for (channel, subject), decision in wanted.items():
        row = known.get((channel, subject))
        told = Alert.read(row["told"]) if row and row["told"] else None
        waits = Alert.read(row["waiting"]) if row and row["waiting"] else None
        names = {"channel": channel, "subject": subject}
        is_news = decision != told if told is not None else decision.needs_somebody
        if is_news and decision != waits:
            cursor.execute(_WAIT, {**names, "decision": json.dumps(decision.as_record())})
        elif not is_news and waits is not None:
            cursor.execute(_FORGET, names)


def _deliver(
    cursor: Any, rules: Rules, channel: Channel, found: Sequence[Alert], place: tuple[Path, datetime]
) -> list[Delivery]:
    site, now = place
    is_quiet = rules.quiet is not None and rules.quiet.include(now)
    later = tuple(each for each in found if is_quiet and not each.is_loud)
    at_once = tuple(each for each in found if each not in later)
    deliveries = [Delivery(channel.name, later, is_quiet=True)] if later else []
    if not at_once:
        return deliveries
    failure = None
    try:
        send(channel, message_of(at_once, rules.pages, site))
    except UndeliveredError as error:
        failure = str(error)
    names = {"channel": channel.name, "subjects": [each.subject for each in at_once], "failure": failure}
    cursor.execute(_TOLD if failure is None else _FAILED, names)
    return [Delivery(channel.name, at_once, failure), *deliveries]


def message_of(decisions: Sequence[Alert], pages: str | None, site: Path) -> Message:
    """First those that need somebody."""
    ordered = sorted(decisions, key=lambda each: (not each.needs_somebody, not each.is_loud, each.subject))
    needed = [each for each in ordered if each.needs_somebody]
    well = len(ordered) - len(needed)
    said = [f"{len(needed)} {'needs' if len(needed) == 1 else 'need'} you"] if needed else []
    said += [f"{well} {'is' if well == 1 else 'are'} settled"] if well else []
    title = f"omnisupport: {', '.join(said)}"
    lines = [each.sentence for each in ordered[:_TOLD_ONE_BY_ONE]]
    more = len(ordered) - len(lines)
    lines += [f"and {more} more: make status"] if more else []
    told = [{**each.as_record(), "page": _page(each, pages, site)} for each in ordered]
    text = "\n".join([*lines, f"pages: {pages or site / 'index.html'}"])
    return Message(title, text, {"alerts": told, "text": text})


def _page(decision: Alert, pages: str | None, site: Path) -> str:
    place = f"days/{decision.day}.html#{decision.record_kind}" if decision.day else "index.html"
    return f"{pages}/{place}" if pages else f"{(site / place.partition('#')[0]).as_uri()}{_fragment(place)}"


def _fragment(place: str) -> str:
    return "#" + place.partition("#")[2] if "#" in place else ""


def records_of(deliveries: Iterable[Delivery]) -> list[Mapping[str, Any]]:
    """JSON-ready values."""
    return [
        {
            "channel": each.channel,
            "failure": each.failure,
            "is_quiet": each.is_quiet,
            "alerts": [decision.as_record() for decision in each.decisions],
        }
        for each in deliveries
    ]
