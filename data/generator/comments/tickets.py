"""The tickets of a folder of exports, as far as a comment has to know them."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from data.generator.instants import day_number
from data.generator.options import OptionError

_NAME = re.compile(r"tickets-([0-9]{4}-[0-9]{2}-[0-9]{2})\.jsonl(\.gz)?")
_TICKET_ID = re.compile(r"TKT-[0-9]{8}-[0-9]{6}")


class KnownTicket:
    """`opened`: the first whole second after it was opened, since 1970 (UTC). `agent`: who has it, if anybody."""

    __slots__ = ("agent", "customer_id", "last_comment_us", "opened", "ticket_id")

    def __init__(self, ticket_id: str, opened: int, customer_id: str, agent: str | None) -> None:
        self.ticket_id = ticket_id
        self.opened = opened
        self.customer_id = customer_id
        self.agent = agent
        # When it was commented on last, in microseconds.
        self.last_comment_us: int | None = None


class KnownTickets:
    """In the order of their opening; `first_day` and `last_day` (days since 1970, both included) of the exports.

    A ticket is known once two lines tell of it: of a single one the warehouse may say that it is damaged.
    """

    def __init__(self, folder: Path) -> None:
        """Raises OptionError when the folder has no ticket."""
        days = []
        seen: dict[str, KnownTicket] = {}
        known: dict[str, KnownTicket] = {}
        for day, path in _exports(folder):
            days.append(day_number(day))
            for record in _records(path):
                ticket = _ticket(record)
                if ticket is None:
                    continue
                earlier = seen.setdefault(ticket.ticket_id, ticket)
                if earlier is not ticket:
                    known[ticket.ticket_id] = earlier
                    earlier.opened = max(earlier.opened, ticket.opened)
                    earlier.agent = ticket.agent or earlier.agent
        if not known:
            raise OptionError(f"--tickets: {folder} has no exports of tickets, nothing was written")
        self.first_day, self.last_day = min(days), max(days)
        self.all = sorted(known.values(), key=lambda ticket: (ticket.opened, ticket.ticket_id))


def _exports(folder: Path) -> Iterator[tuple[date, Path]]:
    for path in sorted(folder.glob("tickets-*")):
        named = _NAME.fullmatch(path.name)
        if named is not None:
            yield date.fromisoformat(named[1]), path


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of the lines that hold a JSON object."""
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    for line in content.split(b"\n"):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record


def _ticket(record: dict[str, Any]) -> KnownTicket | None:
    ticket_id, customer_id, agent = (record.get(name) for name in ("ticket_id", "customer_id", "assignee_id"))
    if not isinstance(ticket_id, str) or not _TICKET_ID.fullmatch(ticket_id) or not isinstance(customer_id, str):
        return None
    try:
        created = datetime.fromisoformat(record["created_at"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError):
        return None
    past = created - datetime(1970, 1, 1, tzinfo=UTC)
    return KnownTicket(ticket_id, past.days * 86_400 + past.seconds + 1, customer_id, agent if agent else None)
