"""Synthetic comments: who writes what on which ticket, how it is edited, and each edition as one line of JSON."""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import NamedTuple

from data.generator.comments.numbers import seconds_text, spelled
from data.generator.comments.options import CommentOptions
from data.generator.comments.tickets import KnownTicket, KnownTickets
from data.generator.instants import DAY_SECONDS, Calendar, Spelling
from data.generator.randomness import Draw, pick, spread, stream
from data.generator.truth import Entity, Version
from data.generator.words import ODD_ENDINGS, sentence

_SPELLINGS = spread(
    {
        Spelling.SECONDS: 60, Spelling.MINUTES: 15, Spelling.EAST: 5, Spelling.WEST: 5,
        Spelling.MILLISECONDS: 7, Spelling.MICROSECONDS: 5, Spelling.NANOSECONDS: 3,
    }
)  # fmt: skip
_SENTENCE_COUNTS = (0, 1, 1, 1, 2, 2, 3)
_MIDDLES = (" ", " ", "\n\n", " – ", "\r\n> ")
# The last is one that no float can hold.
_SIZES = ("0", "512", "48213", "1048576", "7340032", "9007199254740993")
_EDIT_MINUTES = (1, 3, 10, 45, 300, 1_500, 3_000, 9_000)
_SYSTEM_TEXT = "Your comment was received."


class Edition(NamedTuple):
    """What an edit may change. `at`: seconds since 1970 of the edit, or of the creation; `number` 0 is the creation."""

    number: int
    at: int
    body: str
    visibility: str


class Comment(Entity):
    """A comment and all its editions. Numbers are texts without exponent."""

    __slots__ = (
        "attachments",
        "author_id",
        "author_role",
        "comment_id",
        "created_text",
        "created_us",
        "editions",
        "has_nulls",
        "has_word_count",
        "seconds_to_reply",
        "spelling",
        "ticket_id",
    )

    attachments: tuple[tuple[str, str], ...] | None
    author_id: str
    author_role: str
    editions: tuple[Edition, ...]
    has_nulls: bool
    has_word_count: bool
    seconds_to_reply: str | None

    def __init__(self, comment_id: str, ticket_id: str, spelling: Spelling, created: tuple[str, int]) -> None:
        super().__init__()
        self.comment_id = comment_id
        self.ticket_id = ticket_id
        self.spelling = spelling
        # As the line has it, and in microseconds.
        self.created_text, self.created_us = created


class Threads:
    """Writes comments, day by day, on the tickets that were opened until then."""

    def __init__(self, options: CommentOptions, tickets: KnownTickets) -> None:
        self._options = options
        self._tickets = tickets.all
        self._openings = [ticket.opened for ticket in tickets.all]
        self._calendar = Calendar()
        self._draw = stream(options.seed, 11)

    def day(self, day: int, count: int) -> list[Comment]:
        """`count` new comments, in no order of time; of one ticket in it."""
        made: list[Comment] = []
        last_second = (day + 1) * DAY_SECONDS - 1
        opened = bisect_left(self._openings, last_second)
        while opened and len(made) < count:
            # Most comments are on the newest tickets.
            ticket = self._tickets[opened - 1 - int(opened * self._draw() * self._draw() * self._draw())]
            last_us = ticket.last_comment_us
            earliest = max(ticket.opened, day * DAY_SECONDS, 0 if last_us is None else last_us // 1_000_000 + 1)
            if earliest >= last_second:
                continue
            at = earliest + int((last_second - earliest) * self._draw())
            comment = self._write(ticket, day, len(made) + 1, at)
            made.append(comment)
            if comment.author_role == "customer" and len(made) < count and self._draw() < 0.1:
                made.append(self._acknowledge(ticket, comment, day, len(made) + 1, at))
        return made

    def unlinked(self, day: int, number: int, nth: int) -> Comment:
        """A comment of that day on a ticket that no export has."""
        ticket_id = f"TKT-{self._calendar.day_text(day).replace('-', '')}-90000{nth}"
        ticket = KnownTicket(ticket_id, day * DAY_SECONDS, f"cust_9000{nth}", None)
        return self._write(ticket, day, number, day * DAY_SECONDS + 43_200 + nth)

    def _write(self, ticket: KnownTicket, day: int, number: int, at: int) -> Comment:
        draw = self._draw
        spelling = pick(draw, _SPELLINGS)
        if spelling == Spelling.MINUTES and at % 60:
            spelling = Spelling.SECONDS if draw() < 0.5 or at - at % 60 <= _earliest(ticket, day) else spelling
        if spelling == Spelling.MINUTES:
            at -= at % 60
        comment = self._comment(ticket, day, number, spelling, at)
        is_customer = draw() < 0.45
        comment.author_role = "customer" if is_customer else "agent"
        comment.author_id = ticket.customer_id if is_customer else ticket.agent or f"agent_{int(draw() * 97):03d}"
        comment.has_nulls = draw() < 0.5
        comment.has_word_count = draw() < 0.85
        comment.attachments = _attachments(draw) if draw() < 0.25 else None
        visibility = "public" if is_customer or draw() < 0.7 else "internal"
        comment.editions = self._editions(Edition(0, at, _body(draw), visibility), is_customer)
        return comment

    def _acknowledge(self, ticket: KnownTicket, answered: Comment, day: int, number: int, at: int) -> Comment:
        """The system's answer, of the same instant: 0 seconds later."""
        at -= at % 60 if answered.spelling == Spelling.MINUTES else 0
        comment = self._comment(ticket, day, number, answered.spelling, at)
        comment.author_role, comment.author_id = "system", "system_mailer"
        comment.has_nulls, comment.has_word_count, comment.attachments = False, True, None
        comment.editions = (Edition(0, at, _SYSTEM_TEXT, "public"),)
        return comment

    def _comment(self, ticket: KnownTicket, day: int, number: int, spelling: Spelling, at: int) -> Comment:
        comment_id = f"CMT-{self._calendar.day_text(day).replace('-', '')}-{number:06d}"
        created_text, fraction_us = self._calendar.spelled(at, spelling, 0)
        created_us = at * 1_000_000 + fraction_us
        comment = Comment(comment_id, ticket.ticket_id, spelling, (created_text, created_us))
        last_us, ticket.last_comment_us = ticket.last_comment_us, created_us
        comment.seconds_to_reply = None if last_us is None else seconds_text(created_us - last_us)
        return comment

    def _editions(self, first: Edition, is_customer: bool) -> tuple[Edition, ...]:
        draw = self._draw
        made = [first]
        while draw() < self._options.edit_rate:
            last = made[-1]
            at = last.at + int(pick(draw, _EDIT_MINUTES) * 60 * (0.5 + draw()))
            visibility = last.visibility if is_customer or draw() < 0.8 else "internal"
            made.append(Edition(last.number + 1, at, f"{last.body} {_edit(draw, len(made))}".strip(), visibility))
        return tuple(made)

    def render(self, comment: Comment, edition: Edition, batch: str, draw: Draw, *, is_again: bool = False) -> Version:
        """An edition in the export of `batch`; `draw` chooses the spellings. `is_again`: with other key order and
        escapes."""
        updated, instant_us = None, comment.created_us
        if edition.number:
            at = edition.at - (edition.at % 60 if comment.spelling == Spelling.MINUTES else 0)
            text, fraction_us = self._calendar.spelled(at, comment.spelling, edition.number)
            updated, instant_us = f'"{text}"', at * 1_000_000 + fraction_us
        words = str(len(edition.body.split())) if comment.has_word_count else None
        reply = comment.seconds_to_reply
        absent = "null" if comment.has_nulls else None
        fields = {
            "comment_id": f'"{comment.comment_id}"',
            "schema_version": '"ticket_comment_v1"',
            "source_id": f'"{self._options.source}"',
            "ingest_batch_id": f'"{batch}"',
            "ticket_id": f'"{comment.ticket_id}"',
            "author_id": f'"{comment.author_id}"',
            "author_role": f'"{comment.author_role}"',
            "visibility": f'"{edition.visibility}"',
            "comment_body": json.dumps(edition.body, ensure_ascii=is_again or draw() < 0.25),
            "word_count": None if words is None else spelled(draw, words),
            "seconds_to_reply": absent if reply is None else spelled(draw, reply),
            "attachments": None if comment.attachments is None else _attached(draw, comment.attachments),
            "created_at": f'"{comment.created_text}"',
            "updated_at": absent if updated is None else updated,
        }
        pieces = [f'"{name}":{text}' for name, text in fields.items() if text is not None]
        line = f"{{{', '.join(reversed(pieces)) if is_again else ','.join(pieces)}}}"
        shown = (comment.comment_id, edition.visibility, words, reply, str(instant_us))
        content = "|".join(part for part in shown if part is not None)
        return Version(line, instant_us, comment.created_us // 1_000_000 // DAY_SECONDS, content)


def _earliest(ticket: KnownTicket, day: int) -> int:
    """The second after which a comment of that day may come."""
    last_us = ticket.last_comment_us
    return max(ticket.opened, day * DAY_SECONDS, 0 if last_us is None else last_us // 1_000_000)


def _body(draw: Draw) -> str:
    middle = pick(draw, _MIDDLES)
    text = middle.join(sentence(draw).strip() for _ in range(pick(draw, _SENTENCE_COUNTS)))
    return text + pick(draw, ODD_ENDINGS) if text and draw() < 0.3 else text


def _edit(draw: Draw, number: int) -> str:
    return f"[{number}] {sentence(draw).strip()}"


def _attachments(draw: Draw) -> tuple[tuple[str, str], ...]:
    """(asset_id, size_bytes) of each; now and then an empty list."""
    return tuple((f"asset-{int(draw() * 4_000):05d}", pick(draw, _SIZES)) for _ in range(int(draw() * 4)))


def _attached(draw: Draw, attachments: tuple[tuple[str, str], ...]) -> str:
    items = (f'{{"asset_id":"{asset}","size_bytes":{spelled(draw, size)}}}' for asset, size in attachments)
    return f"[{','.join(items)}]"
