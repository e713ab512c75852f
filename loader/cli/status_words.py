"""What status tells in words: the state that a day is in, what became of its lines, what its events make; the state
objects, and a run. And the days of a warehouse as strips of months, earlier years as a line each."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from loader.advice import end_of
from loader.printable import counted
from loader.screen import Screen, Sign, calendar, paragraph, shortened, table
from loader.status import IN_NEED, DayState, State, Status

_SENTENCES: Mapping[State, str] = {
    "damaged": "is damaged and needs you",
    "incomplete": "is not complete",
    "kept back": "is kept back: readers do not see its newest rows",
    "held": "is held: readers see it as it was",
    "released": "is complete and released",
    "not asked for": "was not asked for yet: its lines are known from files that were read for other days",
}

_VERSION = re.compile(r"_v[0-9]+$")

# On a strip of days.
SIGNS: Mapping[State, Sign] = {
    "damaged": Sign("✗", "needs you", "bad"),
    "incomplete": Sign("✗", "needs you", "bad"),
    "kept back": Sign("◔", "kept back", "look"),
    "held": Sign("□", "held", "look"),
    "released": Sign("■", "released", "good"),
    "not asked for": Sign("·", "not asked for", "quiet"),
}

# Each fate of a line, in the words of one and of several.
_FATES = (
    ("landed", "landed", "landed"),
    ("duplicate", "duplicate", "duplicates"),
    ("rejected", "rejected", "rejected"),
    ("blank", "blank", "blank"),
    ("erased", "erased", "erased"),
    ("out_of_partition", "not asked for", "not asked for"),
    ("gap", "without a fate", "without a fate"),
)
_EVENTS = (
    ("superseded_count", "older version kept", "older versions kept"),
    ("collided_count", "with a key of another source's record", "with keys of another source's records"),
    ("retired_count", "of people who were erased", "of people who were erased"),
    ("pending_count", "waiting for Silver", "waiting for Silver"),
)
_MONTHS_IN_NEED = 6
_LAST_MONTHS = 2
_YEARS = 4


def noun_of(record_kind: str) -> str:
    """What a record of the kind is called: its name without the version."""
    return _VERSION.sub("", record_kind).replace("_", " ")


def sentence_of(day: DayState, kinds: Collection[str] = (), *, with_reason: bool = True) -> str:
    """`kinds`: those that the warehouse knows."""
    why = f" ({day.reason})" if day.reason and with_reason else ""
    return f"{day.partition.named(kinds)} {_SENTENCES[day.state]}{why}."


def equation_lines(screen: Screen, row: Mapping[str, Any]) -> list[str]:
    """A row of reconcile_partition in words: its lines by fate, what its events came to, and what nothing explains."""
    fates = {fate: int(row.get(f"{fate}_count") or 0) for fate, _, _ in _FATES}
    count = int(row.get("line_count") or 0)
    # What is left of a day are the lines of people who were erased.
    fates["erased"] = count - sum(fates.values())
    noun = noun_of(row["record_kind"])
    made = [_term(screen, int(row.get("silver_row_count") or 0), noun, f"{noun}s")]
    made += [_term(screen, int(row.get(name) or 0), one, several) for name, one, several in _EVENTS if row.get(name)]
    unexplained = int(row.get("unexplained_count") or 0)
    end = f"{screen.words(unexplained)} unexplained" if unexplained else "nothing unexplained"
    events = _term(screen, int(row.get("event_count") or 0), "event", "events")
    text = f"{events} → {', '.join(made)}; {end}"
    return [
        *lines_by_fate(screen, fates, indent="  "),
        *paragraph(screen, text, indent="  ", hanging="      ", tone="bad" if unexplained else None),
    ]


def lines_by_fate(screen: Screen, fates: Mapping[str, int], *, indent: str = "") -> list[str]:
    """How many lines there are, as the sum of what became of them."""
    total = _term(screen, sum(fates.values()), "line", "lines")
    told = " + ".join(fates_in_words(screen, fates))
    return paragraph(screen, f"{total} = {told}" if told else total, indent=indent, hanging=f"{indent}    ")


def fates_in_words(screen: Screen, fates: Mapping[str, int]) -> Iterable[str]:
    return [_term(screen, fates[fate], one, several) for fate, one, several in _FATES if fates.get(fate)]


def _term(screen: Screen, count: int, one: str, several: str) -> str:
    return f"{screen.words(count)} {one if count == 1 else several}"


def state_words(screen: Screen, answer: Status) -> list[str]:
    """Cursor, watermark and the last run."""
    found = {
        kind: sorted(_instant(row["value_at"]) for row in answer.state if row["state_kind"] == kind)
        for kind in ("cursor", "watermark")
    }
    words = []
    if found["cursor"]:
        several = f" (of {len(found['cursor'])} sources, the earliest)" if len(found["cursor"]) > 1 else ""
        words.append(f"cursor {screen.words(found['cursor'][0])}{several}")
    if found["cursor"] and found["watermark"]:
        words.append(f"watermark {_span(found['cursor'][0] - found['watermark'][0])} before")
    if answer.runs:
        words.append(f"last run {run_words(answer.runs[0], answer.runs)}")
    return words


def run_words(run: Mapping[str, Any], among: Sequence[Mapping[str, Any]]) -> str:
    """A run in a line: its id as short as it may be among these, its verb, when it began, how it ended."""
    run_id = shortened(run["run_id"], [each["run_id"] for each in among])
    of_kind = f" of {run['record_kind']}" if len({each["record_kind"] for each in among}) > 1 else ""
    return f"{run_id} {run['mode']}{of_kind} {_instant(run['started_at']):%Y-%m-%d %H:%M} {end_of(run)}"


def _span(span: timedelta) -> str:
    for unit, noun in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour")):
        if span and not span % unit:
            return counted(span // unit, noun)
    return str(span)


def _instant(text: str) -> datetime:
    """The instant that a JSON-ready value holds."""
    return datetime.fromisoformat(text)


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
