"""Months as strips: a sign a day, weeks of seven from the first of the month, and what the signs mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from loader.screen.terminal import Screen, Tone
from loader.screen.text import cells, filled

_NOTHING = " "
_DAYS_OF_A_GROUP = 7
_INDENT = len("2026-03   ")
_WIDEST = _INDENT + 31 + 4


@dataclass(frozen=True, slots=True)
class Sign:
    """One character, what it means in words, and its colour."""

    symbol: str
    words: str
    tone: Tone | None = None


def calendar(screen: Screen, days: Mapping[date, Sign], months: Sequence[date]) -> list[str]:
    """A line for each of `months` (their first days), then the meaning of each sign that stands there: beside the last
    strip where there is room, else below. A day that is not in `days` is a blank."""
    lines = [_strip(screen, days, month) for month in months]
    if not lines:
        return []
    used = dict.fromkeys(sign for day, sign in sorted(days.items()) if day.replace(day=1) in months)
    meanings = {f"{screen.words(sign.symbol)} {screen.words(sign.words)}": sign.tone for sign in used}
    beside, (last, width) = _WIDEST + 3, lines[-1]
    if beside + cells("  ".join(meanings)) <= screen.width:
        last += " " * (beside - width) + "  ".join(screen.painted(text, tone) for text, tone in meanings.items())
        return [*(text for text, _ in lines[:-1]), last]
    below = filled(meanings, screen.width - _INDENT, between="  ")
    return [*(text for text, _ in lines), *(" " * _INDENT + line for line in below)]


def _strip(screen: Screen, days: Mapping[date, Sign], month: date) -> tuple[str, int]:
    """The line, and how many cells it takes."""
    known = [day.day for day in days if (day.year, day.month) == (month.year, month.month)]
    text, width = f"{month:%Y-%m}   ", _INDENT
    for number in range(1, max(known, default=0) + 1):
        sign = days.get(month.replace(day=number))
        if number > 1 and number % _DAYS_OF_A_GROUP == 1:
            text, width = text + " ", width + 1
        symbol = screen.words(sign.symbol if sign else _NOTHING)
        text, width = text + screen.painted(symbol, sign.tone if sign else None), width + cells(symbol)
    return text, width
