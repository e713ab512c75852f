"""Instants as RFC 3339 text, in every spelling that the contract accepts."""

from __future__ import annotations

from datetime import date, timedelta
from enum import IntEnum

DAY_SECONDS = 86_400
_EPOCH = date(1970, 1, 1)


class Spelling(IntEnum):
    """How a ticket's created_at and updated_at are written; one spelling per ticket."""

    SECONDS = 0
    MINUTES = 1  # whole minutes: updates of one ticket share an instant
    EAST = 2
    WEST = 3
    MILLISECONDS = 4
    MICROSECONDS = 5
    NANOSECONDS = 6  # finer than the warehouse: truncated, never rounded (into the next day)


_OFFSETS = {Spelling.EAST: (7_200, "+02:00"), Spelling.WEST: (-19_800, "-05:30")}


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return (day - _EPOCH).days


def day_of(number: int) -> date:
    return _EPOCH + timedelta(days=number)


class Calendar:
    """Text of instants given as whole seconds since 1970 (UTC). Keeps the text of days it has seen."""

    def __init__(self) -> None:
        self._days: dict[int, str] = {}
        self._clock = [
            f"T{hour:02d}:{minute:02d}:{second:02d}"
            for hour in range(24)
            for minute in range(60)
            for second in range(60)
        ]

    def day_text(self, number: int) -> str:
        text = self._days.get(number)
        if text is None:
            text = self._days[number] = day_of(number).isoformat()
        return text

    def utc(self, seconds: int) -> str:
        day, rest = divmod(seconds, DAY_SECONDS)
        return f"{self.day_text(day)}{self._clock[rest]}Z"

    def spelled(self, seconds: int, spelling: Spelling, version: int) -> tuple[str, int]:
        """The text, and the microseconds that it adds to `seconds`. `version` varies the fraction."""
        if spelling <= Spelling.MINUTES:
            return self.utc(seconds), 0
        if spelling <= Spelling.WEST:
            shift, suffix = _OFFSETS[spelling]
            day, rest = divmod(seconds + shift, DAY_SECONDS)
            return f"{self.day_text(day)}{self._clock[rest]}{suffix}", 0
        day, rest = divmod(seconds, DAY_SECONDS)
        start = f"{self.day_text(day)}{self._clock[rest]}"
        if spelling == Spelling.MILLISECONDS:
            milliseconds = (seconds + 337 * version) % 1_000
            return f"{start}.{milliseconds:03d}Z", milliseconds * 1_000
        if spelling == Spelling.MICROSECONDS:
            microseconds = (seconds * 7 + 90_001 * version) % 1_000_000
            return f"{start}.{microseconds:06d}+00:00", microseconds
        return f"{start}.999999999Z", 999_999
