"""Synthetic tickets: who has which problem, and each version as one line of JSON."""

from __future__ import annotations

from typing import NamedTuple

from data.generator.instants import DAY_SECONDS, Calendar, Spelling, day_number
from data.generator.lifecycle import Life, lives
from data.generator.options import Options
from data.generator.randomness import Draw, pick, shuffled, spread, stream
from data.generator.truth import Entity, Version
from data.generator.words import prose, subjects

CUSTOMER_COUNT = 2_000
PROFILE_COUNT = 4_096
SUBJECTS_PER_PROFILE_KIND = 12

_PRIORITIES = spread({"p1_critical": 4, "p2_high": 16, "p3_medium": 58, "p4_low": 22})
_PRODUCT_LINES = spread(
    {"northstar_workspace": 48, "northstar_edge_gateway": 27, "northstar_studio": 18, "cross_product": 7}
)
_CATEGORIES = spread(
    {
        "connectivity": 17, "bug_report": 16, "configuration": 14, "authentication": 13, "performance": 11,
        "installation": 8, "billing": 7, "feature_request": 5, "documentation": 4, "security": 3, "other": 2,
    }
)  # fmt: skip
_QUALITY_GATES = spread({"pass": 90, "warn": 6, "pending": 3, "fail": 1})
_PII = spread(
    {
        '"pii_level":"none"': 60,
        '"pii_level":"none","pii_redacted":false': 8,
        '"pii_level":"low","pii_redacted":true': 27,
        '"pii_level":"high","pii_redacted":true': 5,
    }
)
_SLA_HOURS = {"enterprise": 8, "professional": 24, "standard": 72, "free": 0}
_SLA_TIERS = spread({"enterprise": 8, "professional": 25, "standard": 52, "free": 15})
_SPELLINGS = spread(
    {
        Spelling.SECONDS: 58, Spelling.MINUTES: 30, Spelling.EAST: 4, Spelling.WEST: 2,
        Spelling.MILLISECONDS: 3, Spelling.MICROSECONDS: 2, Spelling.NANOSECONDS: 1,
    }
)  # fmt: skip
# Minute of the day at which tickets are opened: office hours weigh most.
_HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 8, 14, 16, 15, 13, 11, 14, 15, 13, 11, 8, 5, 4, 3, 3, 2, 1)
_HOURS = tuple(hour for hour, weight in enumerate(_HOUR_WEIGHTS) for _ in range(weight))


class Profile(NamedTuple):
    """Parts of a ticket that never change, as JSON text between its other fields."""

    category: str
    subject: str
    codes: str
    ending: str


class Customer(NamedTuple):
    identity: str
    sla_tier: str


class Ticket(Entity):
    """A ticket. Seconds since 1970, UTC."""

    __slots__ = (
        "created",
        "created_text",
        "created_us",
        "customer",
        "due_text",
        "is_resolved_too_early",
        "life",
        "line_bytes",
        "moved_at_version",
        "moved_created",
        "priority",
        "profile",
        "spelling",
        "text_start",
        "ticket_id",
        "versions_left",
    )

    profile: Profile
    customer: Customer
    priority: str
    line_bytes: int
    text_start: int
    # As the lines have them; created_us is the fraction that the spelling adds, in microseconds.
    created_text: str
    created_us: int
    due_text: str

    def __init__(self, ticket_id: str, created: int, spelling: Spelling, life: Life) -> None:
        super().__init__()
        self.ticket_id = ticket_id
        self.created = created
        self.spelling = spelling
        self.life = life
        # From this version on created_at is another instant, on an earlier day; 0: never.
        self.moved_at_version = 0
        self.moved_created = created
        self.is_resolved_too_early = False
        self.versions_left = 0


class World:
    """Everything tickets draw from; built once per data set."""

    def __init__(self, options: Options) -> None:
        draw = stream(options.seed, 1)
        self.calendar = Calendar()
        self.lives = lives(draw, options.update_rate)
        self._first_day = day_number(options.first_day)
        self._draw = stream(options.seed, 2)
        self._options = options
        self._envelope = f'"schema_version":"ticket_v1","source_id":"{options.source}","ingest_batch_id":"'
        self._profiles = _profiles(draw)
        self._customers = _customers(draw)
        self._text, self._starts = prose(draw, 4_000, 2 * options.payload_bytes)

    def open_ticket(self, day: int, number: int) -> Ticket:
        """A new ticket of that day; `number` from 1 within the day."""
        draw = self._draw
        spelling = pick(draw, _SPELLINGS)
        if spelling == Spelling.NANOSECONDS:
            created = day * DAY_SECONDS + DAY_SECONDS - 1
        else:
            created = day * DAY_SECONDS + pick(draw, _HOURS) * 3_600 + int(draw() * 3_600)
        if spelling == Spelling.MINUTES:
            created -= created % 60
        ticket_id = f"TKT-{self.calendar.day_text(day).replace('-', '')}-{number:06d}"
        ticket = Ticket(ticket_id, created, spelling, pick(draw, self.lives))
        ticket.profile = pick(draw, self._profiles)
        ticket.customer = self._customers[int(CUSTOMER_COUNT * draw() * draw() * draw())]
        ticket.created_text, ticket.created_us = self.calendar.spelled(created, spelling, 0)
        hours = _SLA_HOURS[ticket.customer.sla_tier]
        ticket.due_text = f'"{self.calendar.utc(created + hours * 3_600)}"' if hours else "null"
        ticket.priority = pick(draw, _PRIORITIES)
        ticket.line_bytes = int(self._options.payload_bytes * (0.8 + 0.4 * draw()))
        ticket.text_start = int(draw() * len(self._starts))
        oddity = draw()
        if oddity < self._options.moved_rate:
            if day > self._first_day and len(ticket.life) > 1:
                ticket.moved_at_version = 1 + int(draw() * (len(ticket.life) - 1))
                ticket.moved_created = day * DAY_SECONDS - 60 - int(draw() * 3_600)
        elif oddity < self._options.moved_rate + self._options.warning_rate:
            ticket.is_resolved_too_early = True
        return ticket

    def render(self, ticket: Ticket, version: int, at: int, batch: str) -> Version:
        """Version `version` (0 is the creation) as updated at second `at`, in the export of `batch`."""
        step = ticket.life[version]
        spelling = ticket.spelling
        profile = ticket.profile
        customer = ticket.customer
        is_moved = 0 < ticket.moved_at_version <= version
        created, created_text, created_us = ticket.created, ticket.created_text, ticket.created_us
        warnings: tuple[str, ...] = ()
        if is_moved:
            created = ticket.moved_created
            created_text, created_us = self.calendar.spelled(created, spelling, 0)
            warnings = ("ticket_day_mismatch",)
        if version == 0:
            instant_us = created * 1_000_000 + created_us
            updated = "" if ticket.text_start & 1 else ',"updated_at":null'
            assignee = "null"
        else:
            updated_text, updated_us = self.calendar.spelled(at, spelling, version)
            instant_us = at * 1_000_000 + updated_us
            updated = f',"updated_at":"{updated_text}"'
            assignee = f'"agent_{(ticket.text_start * 7 + version // 2) % 97:03d}"'
            if instant_us < created * 1_000_000 + created_us:
                warnings += ("updated_before_created",)
        resolved = "null"
        if step.resolved_offset_seconds is not None:
            resolved_at = ticket.created + step.resolved_offset_seconds
            if ticket.is_resolved_too_early:
                resolved_at = ticket.created - 600
                warnings += ("resolved_before_created",)
            resolved = f'"{self.calendar.utc(resolved_at)}"'
        head = (
            f'{{"ticket_id":"{ticket.ticket_id}",{self._envelope}{batch}",{customer.identity},'
            f'"status":"{step.status}","priority":"{ticket.priority}",{profile.category},"subject":{profile.subject}'
        )
        tail = (
            f'{profile.codes},"assignee_id":{assignee},"sla_tier":"{customer.sla_tier}","sla_due_at":{ticket.due_text},'
            f'"created_at":"{created_text}"{updated},"resolved_at":{resolved},{profile.ending},'
            f'"tags":["mod:{version}","text:{ticket.text_start % 7}"]}}'
        )
        # The description fills the line up to its size; 18 bytes are its key and the line's end.
        room = ticket.line_bytes - len(head) - len(tail) - 18
        if room > 20:
            start = self._starts[(ticket.text_start + 37 * version) % len(self._starts)]
            line = f'{head},"description":"{self._text[start : start + room]}"{tail}'
        else:
            line = head + tail
        content = f"{ticket.ticket_id}|{step.status}|{instant_us}"
        return Version(line, instant_us, created // DAY_SECONDS, content, warnings)


def _customers(draw: Draw) -> list[Customer]:
    """In random order: the first ones get most of the tickets."""
    made = []
    for number in shuffled(draw, range(CUSTOMER_COUNT)):
        identity = f'"customer_id":"cust_{number:05d}"'
        if number % 11:
            identity += f',"org_id":"org_{number * 7 % 431:03d}"'
        made.append(Customer(identity, pick(draw, _SLA_TIERS)))
    return made


def _profiles(draw: Draw) -> list[Profile]:
    by_kind: dict[tuple[str, str], list[str]] = {}
    made = []
    for _ in range(PROFILE_COUNT):
        category, product_line = pick(draw, _CATEGORIES), pick(draw, _PRODUCT_LINES)
        kind = (category, product_line)
        if kind not in by_kind:
            by_kind[kind] = subjects(draw, category, product_line, SUBJECTS_PER_PROFILE_KIND)
        product = f'"category":"{category}","product_line":"{product_line}"'
        if draw() < 0.7:
            product += f',"product_version":"{3 + int(draw() * 3)}.{int(draw() * 12)}.{int(draw() * 9)}"'
        codes = ""
        if draw() < 0.6:
            codes += f',"error_codes":["NS-{int(draw() * 900) + 100}"]'
        if draw() < 0.3:
            first = int(draw() * 4_000)
            codes += f',"asset_ids":["asset-{first:05d}","asset-{first + 1:05d}"]'
        ending = f'{pick(draw, _PII)},"quality_gate":"{pick(draw, _QUALITY_GATES)}","owner":"team_{category}"'
        made.append(Profile(product, pick(draw, by_kind[kind]), codes, ending))
    return made
