"""Which version of which ticket stands in which day's export, and in what order."""

from __future__ import annotations

from operator import itemgetter

from data.generator.instants import DAY_SECONDS, Spelling, day_number
from data.generator.lifecycle import LATE_DAYS, lines_by_days_left
from data.generator.options import Options
from data.generator.randomness import pick, stream
from data.generator.tickets import Ticket, World
from data.generator.volume import Volume, check_day

# (second of the update, the ticket, its version)
Due = tuple[int, Ticket, int]


class Schedule:
    """Holds the versions that are still to come; days are asked for in order, each once."""

    def __init__(self, options: Options, world: World) -> None:
        self._options = options
        self._world = world
        self._draw = stream(options.seed, 3)
        self._first_day = day_number(options.first_day)
        self._last_day = day_number(options.last_day)
        day_count = self._last_day - self._first_day + 1
        self._volume = Volume(options, lines_by_days_left(world.lives, day_count))
        self._waiting: dict[int, list[Due]] = {}
        self._waiting_count = 0

    def versions_of(self, day: int, lines_written: int) -> list[Due]:
        """The versions in the export of `day`, in line order: by instant, but for the share out of order.

        Towards a wanted number of lines, the last day has at least the missing ones.
        """
        opening = self._volume.open_count(day, lines_written, self._waiting_count)
        versions = self._waiting.pop(day, [])
        self._waiting_count -= len(versions)
        number = 0
        for number in range(1, opening + 1):
            self._open(day, number, versions)
        if day == self._last_day and self._options.lines is not None:
            while len(versions) < self._options.lines - lines_written:
                number += 1
                check_day(day, number)
                self._open(day, number, versions)
        versions.sort(key=itemgetter(0))
        self._displace(versions)
        return versions

    def _open(self, day: int, number: int, today: list[Due]) -> None:
        """Opens a ticket and schedules all its versions up to the last day; the others are never exported."""
        draw = self._draw
        late_rate = self._options.late_rate
        ticket = self._world.open_ticket(day, number)
        is_in_minutes = ticket.spelling == Spelling.MINUTES
        # A clock that was wrong at the first update: it lies before the creation.
        is_clock_wrong = draw() < self._options.warning_rate
        for version, step in enumerate(ticket.life):
            at = ticket.created + step.offset_seconds
            delivery = at // DAY_SECONDS
            if delivery > self._last_day:
                break
            if is_in_minutes:
                at -= at % 60
            if is_clock_wrong and version == 1:
                at = ticket.created - 300
            if draw() < late_rate:
                delivery += pick(draw, LATE_DAYS)
                if delivery > self._last_day:
                    continue
            ticket.versions_left += 1
            if delivery == day:
                today.append((at, ticket, version))
            else:
                self._waiting.setdefault(delivery, []).append((at, ticket, version))
                self._waiting_count += 1

    def _displace(self, versions: list[Due]) -> None:
        """Swaps a share of the versions with one up to 20 lines later."""
        rate = self._options.out_of_order / 2  # a swap displaces two
        draw = self._draw
        for index in range(len(versions) - 1 if rate else 0):
            if draw() < rate:
                other = min(index + 1 + int(draw() * 20), len(versions) - 1)
                versions[index], versions[other] = versions[other], versions[index]
