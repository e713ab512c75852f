"""The days of a warehouse as strips of months, and earlier years as a line each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from loader.cli.status_words import SIGNS
from loader.screen import Screen, calendar, table
from loader.status import IN_NEED, DayState

_MONTHS_IN_NEED = 6
_LAST_MONTHS = 2
_YEARS = 4


def strips(screen: Screen, days: Sequence[DayState]) -> Iterator[list[str]]:
    """The last two months and those that need a look as strips, above them what else there is, a line a year; then, for
    where that is too much, the last two months alone, and nothing. Each kind has its own, below its name."""
    kinds = sorted({day.record_kind for day in days})
    for months_in_need in (_MONTHS_IN_NEED, 0) if days else ():
        lines: list[str] = []
        for kind in kinds:
            lines += [kind] if len(kinds) > 1 else []
            lines += _drawn(screen, [day for day in days if day.record_kind == kind], months_in_need)
        yield lines
    yield []


def _drawn(screen: Screen, days: Sequence[DayState], months_in_need: int) -> list[str]:
    by_day = {date.fromisoformat(day.partition_key): day for day in days}
    months = sorted({day.replace(day=1) for day in by_day})
    needing = sorted({day.replace(day=1) for day, state in by_day.items() if state.state in IN_NEED}, reverse=True)
    chosen = sorted({*months[-_LAST_MONTHS:], *needing[:months_in_need]})
    rest: dict[int, list[DayState]] = {}
    for day, state in by_day.items():
        if day.replace(day=1) not in chosen:
            rest.setdefault(day.year, []).append(state)
    signs = {day: SIGNS[state.state] for day, state in by_day.items()}
    years = _years(screen, rest, {month.year for month in chosen}) if months_in_need else []
    return [*years, *calendar(screen, signs, chosen)]


def _years(screen: Screen, rest: Mapping[int, Sequence[DayState]], shown: set[int]) -> list[str]:
    years = sorted(rest)
    groups = [[year] for year in years]
    if len(years) > _YEARS:
        groups = [years[: 1 - _YEARS], *([year] for year in years[1 - _YEARS :])]
    rows = []
    for group in groups:
        found = [day for year in group for day in rest[year]]
        name = f"{group[0]} … {group[-1]}" if len(group) > 1 else str(group[0])
        also = " (other months)" if shown.intersection(group) else ""
        rows.append([name, f"{_by_state(screen, found)}{also}"])
    return table(screen, rows)


def _by_state(screen: Screen, days: Sequence[DayState]) -> str:
    counts: dict[str, int] = {}
    for day in days:
        words = SIGNS[day.state].words
        counts[words] = counts.get(words, 0) + 1
    return ", ".join(f"{screen.words(count)} {words}" for words, count in counts.items())
