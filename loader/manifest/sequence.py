"""The place of a file in upstream's order, read from its name."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date

ASSETS_PER_DATE = 1000

_DATE = re.compile(r"(?<![0-9])([0-9]{4})(-?)([0-9]{2})\2([0-9]{2})(?![0-9])")


class SequenceError(ValueError):
    """More assets of one date than the number leaves room for: their order must be declared."""


def sequence_of(source_ids: Sequence[str]) -> tuple[int, ...]:
    """The sequence of each asset of a manifest, in the given order.

    A name with a date (YYYY-MM-DD or YYYYMMDD, the first real one) gets YYYYMMDD * 1000 + n, n from 0 among
    the names of that date in name order; another name gets its position in the list, from 1. Raises
    SequenceError when more than 1000 names share a date.
    """
    names_of_date: dict[date, list[str]] = defaultdict(list)
    dates = [_date_in(source_id) for source_id in source_ids]
    for source_id, day in zip(source_ids, dates, strict=True):
        if day is not None:
            names_of_date[day].append(source_id)
    sequence_of_name: dict[str, int] = {}
    for day, names in names_of_date.items():
        if len(names) > ASSETS_PER_DATE:
            raise SequenceError(f"{len(names)} assets are named after {day}, at most {ASSETS_PER_DATE} can be ordered")
        first = int(day.isoformat().replace("-", "")) * ASSETS_PER_DATE
        sequence_of_name |= {name: first + place for place, name in enumerate(sorted(names))}
    return tuple(
        position if day is None else sequence_of_name[source_id]
        for position, (source_id, day) in enumerate(zip(source_ids, dates, strict=True), start=1)
    )


def _date_in(source_id: str) -> date | None:
    for match in _DATE.finditer(source_id):
        try:
            return date(int(match[1]), int(match[3]), int(match[4]))
        except ValueError:
            continue
    return None
