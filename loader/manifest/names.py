"""What a file's name says about its place among others: an instant, numbers, or nothing certain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from loader.manifest.dates import UUID, Period, dates_in

_ENDING = re.compile(r"\.(?:jsonl|json|ndjson|ldjson|jsonlines|jl)?(?:\.gz)?$", re.IGNORECASE)
_HIVE = re.compile(r"(?<![a-z0-9])(?:year|month|day|hour|[ymdh])=(?=[0-9])", re.IGNORECASE)

_WORD = re.compile(r"[^\W_]+")
_COUNTED = re.compile(r"([^\W\d_]*)([0-9]+)")


# A number of a name, or a word of it: (0, number, "") or (1, 0, word), so that both sort together.
Token = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """`period` None: the name has no date, or none that is certain; `doubt` then says why, if it has something like
    one. `tokens` are its other words and numbers, in order; what is doubted stands first, as a word, so that no number
    decides between two doubts."""

    period: Period | None
    doubt: str | None
    tokens: tuple[Token, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(number for kind, number, _ in self.tokens if kind == 0)


def read_name(source_id: str, *, are_bare_digits_times: bool = True, now: datetime | None = None) -> NamedPlace:
    """What the path of a file below its folder says; pure. Its ending counts for nothing.

    `are_bare_digits_times` False: four or six digits beside a day (`2026-05-04-0007`) are a number, no time.
    `now`: an epoch more than a day after it is doubted; None: no epoch is.
    """
    name = _HIVE.sub("", _ENDING.sub("", source_id))
    spans: list[tuple[int, int, Period | str]] = []
    for start, end, found in dates_in(name, are_bare_digits_times, now):
        if not any(start < other_end and other_start < end for other_start, other_end, _ in spans):
            spans.append((start, end, found))
    periods = {found for *_, found in spans if isinstance(found, Period)}
    finest = _finest(periods)
    doubt = next((found for *_, found in spans if isinstance(found, str)), None)
    if doubt is None and periods and finest is None:
        doubt = "two different dates in one name"
    dates = sorted((start, end) for start, end, _ in spans)
    tokens = tuple(_tokens(name, dates))
    if doubt is not None:
        return NamedPlace(None, doubt, (*((1, 0, name[start:end]) for start, end in dates), *tokens))
    return NamedPlace(finest, None, tokens)


def folder_period(parts: tuple[str, ...], now: datetime | None = None) -> Period | None:
    """What a folder is named after, by the parts of its path: `dt=2026-05-09`, `2026/05/09`, `year=2026/month=5/…`."""
    last = read_name(parts[-1] if parts else "", now=now).period
    if last is not None:
        return last
    tail = _HIVE.sub("", "/".join(parts[-3:]))
    return read_name(tail).period if re.fullmatch(r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}", tail) else None


def natural_tokens(source_id: str) -> tuple[Token, ...]:
    """Every word and number of a name, dates and all: `part-2` before `part-10`."""
    return tuple(_tokens(_ENDING.sub("", source_id), []))


def _finest(periods: set[Period]) -> Period | None:
    """The one within all others: a folder of a day and in it a file with the time say the same."""
    for period in periods:
        if all(other.start <= period.start and period.end <= other.end for other in periods):
            return period
    return None


def _tokens(name: str, dates: list[tuple[int, int]]) -> Iterator[Token]:
    """Words and numbers around the dates.

    Letters and then digits are a word and a number (`part10`); digits and then letters are one word, as in a hash.
    """
    place = 0
    for start, end in [*dates, (len(name), len(name))]:
        between = UUID.sub(lambda uuid: f"x{uuid[0].replace('-', '')}x", name[place:start])
        for word in _WORD.findall(between):
            counted = _COUNTED.fullmatch(word)
            if counted is None:
                yield 1, 0, word.lower()
                continue
            if counted[1]:
                yield 1, 0, counted[1].lower()
            yield 0, int(counted[2]), ""
        place = end
