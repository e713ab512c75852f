"""A day of a kind as a square of the calendar: one state, its sign and its words. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from loader.obstacles import Code
from loader.status import DayState


class Square(NamedTuple):
    """`name`: its class in the style sheet, which has its sign and its colour."""

    name: str
    words: str


# The first that a day is; the legend has this order.
GAP = Square("gap", "gap: damaged or not whole")
ABSENT = Square("absent", "absent: a file or the day is missing")
THIN = Square("thin", "thin: too few records")
WAITING = Square("waiting", "waiting for a release")
HELD = Square("held", "held by a person")
LATE = Square("late", "released with late records")
RELEASED = Square("released", "released")
UNASKED = Square("unasked", "not asked for")
SQUARES = (GAP, ABSENT, THIN, WAITING, HELD, LATE, RELEASED, UNASKED)
_THIN_DAY, _MISSING_DAY = "drift_thin_day", "drift_missing_day"
_FILES_LACK = {Code.MISSING, Code.WITHHELD}


def square_of(day: DayState, drift: Collection[str], late_count: int) -> Square:
    """`drift`: the checks that are open of the day."""
    if day.state == "damaged":
        return GAP
    if day.state == "incomplete":
        return ABSENT if _FILES_LACK.intersection(day.codes) else GAP
    if day.state == "kept back":
        return ABSENT if _MISSING_DAY in drift else THIN if _THIN_DAY in drift else WAITING
    if day.state == "held":
        return HELD
    if day.state == "released":
        return LATE if late_count else RELEASED
    return UNASKED


def squares_of(
    days: Iterable[DayState], drift: Iterable[Mapping[str, Any]], late: Mapping[tuple[str, str], int]
) -> dict[tuple[str, str], tuple[Square, str]]:
    """The square of each kind and day, and the reason in words. A day that is known only for being missed is absent."""
    checks: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in drift:
        if row["partition_key"] is not None:
            checks.setdefault((row["record_kind"], row["partition_key"]), []).append(row)
    found = {}
    for day in days:
        key = (day.record_kind, day.partition_key)
        open_checks = [row["check_name"] for row in checks.get(key, ())]
        found[key] = (square_of(day, open_checks, late.get(key, 0)), day.reason)
    for key, rows in checks.items():
        missed = [row["detail"] for row in rows if row["check_name"] == _MISSING_DAY]
        if missed and key not in found:
            found[key] = (ABSENT, missed[0])
    return found


def calendars(squares: Mapping[tuple[str, str], tuple[Square, str]], kinds: Sequence[str]) -> list[dict[str, Any]]:
    """Each kind, that with most days first, with its years, the newest first; a year with its months that have a day,
    each with the column of its first day (1: Monday) and its days; of a year, how many squares of each state it has."""
    drawn = []
    sizes = Counter(kind for kind, _ in squares)
    for kind in sorted(kinds, key=lambda kind: (-sizes[kind], kind)):
        of_kind = {date.fromisoformat(day): square for (each, day), square in squares.items() if each == kind}
        if not of_kind:
            continue
        years = [
            {"year": year, "counts": _counts(of_kind[day][0] for day in days), "months": _months(days, of_kind)}
            for year, days in _grouped(sorted(of_kind), "%Y")
        ]
        drawn.append({"kind": kind, "years": years[::-1]})
    return drawn


def _months(days: Sequence[date], squares: Mapping[date, tuple[Square, str]]) -> list[dict[str, Any]]:
    return [
        {
            "month": month,
            "name": known[0].strftime("%B %Y"),
            "begins": known[0].replace(day=1).isoweekday(),
            "days": [_cell(day, squares.get(day)) for day in _all_days(known[0])],
        }
        for month, known in _grouped(days, "%Y-%m")
    ]


def _cell(day: date, square: tuple[Square, str] | None) -> dict[str, Any]:
    if square is None:
        return {"day": day.isoformat(), "square": None}
    return {"day": day.isoformat(), "square": square[0].name, "words": square[0].words.partition(":")[0]}


def _all_days(day: date) -> list[date]:
    first = day.replace(day=1)
    return [each for each in (first + timedelta(days=place) for place in range(31)) if each.month == first.month]


def _grouped(days: Sequence[date], form: str) -> list[tuple[str, list[date]]]:
    return [(name, list(each)) for name, each in groupby(days, lambda day: day.strftime(form))]


def _counts(squares: Iterable[Square]) -> list[tuple[str, str, int]]:
    counted = Counter(squares)
    return [(each.name, each.words, counted[each]) for each in SQUARES if counted[each]]
