"""What a file's name says about its place among others: an instant, numbers, or nothing certain."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

# Years of a delivery: of four digits, and of two; other numbers are no dates.
_YEARS, _SHORT_YEARS = range(1970, 2200), range(20, 50)
_ENDING = re.compile(r"\.(?:jsonl|json|ndjson|ldjson|jsonlines|jl)?(?:\.gz)?$", re.IGNORECASE)
_HIVE = re.compile(r"(?<![a-z0-9])(?:year|month|day|hour|[ymdh])=(?=[0-9])", re.IGNORECASE)

_NOT_IN_A_NUMBER = r"(?<![0-9])"
_YEAR = r"(?:19[7-9][0-9]|2[01][0-9][0-9])"
_MONTH_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
# YYYYMMDD may touch its time; a date with separators has one before it. An hour alone needs the letter.
_MOMENT = re.compile(
    rf"""{_NOT_IN_A_NUMBER} (?P<year>{_YEAR})
    (?: (?P<sep>[-._/]) (?P<month>0?[1-9]|1[0-2]) (?P=sep) (?P<day>0?[1-9]|[12][0-9]|3[01]) (?![0-9])
      | (?P<month2>0[1-9]|1[0-2]) (?P<day2>0[1-9]|[12][0-9]|3[01]) )
    (?: (?P<before>_?T|[-_./\ ]|) (?!{_YEAR}[-._/]) (?P<hour>[01][0-9]|2[0-3]) (?P<colon>[-_:.]?) (?P<minute>[0-5][0-9])
        (?: (?P=colon) (?P<second>[0-5][0-9]) (?:[.,]?(?P<fraction>[0-9]{{3,9}}))? )?
        (?P<zone>Z|\+[0-9]{{2}}:?[0-9]{{2}})? (?![0-9])
      | T(?P<hour2>[01][0-9]|2[0-3])Z? (?![0-9])
      | (?![0-9]) )""",
    re.VERBOSE | re.IGNORECASE,
)
_DAY_AND_HOUR = re.compile(rf"{_NOT_IN_A_NUMBER}({_YEAR})([0-9]{{2}})([0-9]{{2}})([01][0-9]|2[0-3])(?![0-9])")
_WEEK = re.compile(rf"{_NOT_IN_A_NUMBER}({_YEAR})[-_.]?W([0-9]{{2}})(?:-?([1-7]))?(?![0-9])", re.IGNORECASE)
_MONTH = re.compile(rf"{_NOT_IN_A_NUMBER}({_YEAR})[-._/](0[1-9]|1[0-2])(?![0-9]|[-._/][0-9])")
_EPOCH = re.compile(rf"{_NOT_IN_A_NUMBER}([1-4][0-9]{{9}})([0-9]{{3}})?(?:[0-9]{{3}})?(?![0-9])")
# The day before the year, or the month: which is which, nobody can tell.
_DAY_FIRST = re.compile(
    rf"""{_NOT_IN_A_NUMBER} (?:
        [0-9]{{1,2}} (?P<sep>[-._/\ ]?) (?:{_MONTH_NAMES})[a-z]* (?P=sep) (?:[0-9]{{4}}|[0-9]{{2}})
      | (?P<a>[0-9]{{1,2}}) (?P<sep2>[-._/]) (?P<b>[0-9]{{1,2}}) (?P=sep2) (?P<year>[0-9]{{4}}|[0-9]{{2}})
      | (?P<a2>[0-9]{{2}}) (?P<b2>[0-9]{{2}}) (?P<year2>[0-9]{{4}}|[0-9]{{2}})
    ) (?![0-9])""",
    re.VERBOSE | re.IGNORECASE,
)
_UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+")
_COUNTED = re.compile(r"([^\W\d_]*)([0-9]+)")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """What a name says of when: half-open `[start, end)`, UTC. An instant has the length of its last digit.

    `is_whole_days`: no time of day was said.
    """

    start: datetime
    end: datetime
    is_whole_days: bool

    @property
    def last_second(self) -> datetime:
        """When an export is taken that holds all of it: the last second of the days; an instant is its own."""
        return self.end - timedelta(seconds=1) if self.is_whole_days else self.start.replace(microsecond=0)

    def __str__(self) -> str:
        return self.start.date().isoformat() if self.is_whole_days else f"{self.start:%Y-%m-%dT%H:%M:%SZ}"


# A number of a name, or a word of it: (0, number, "") or (1, 0, word), so that both sort together.
Token = tuple[int, int, str]


@dataclass(frozen=True, slots=True)
class NamedPlace:
    """`period` None: the name has no date, or none that is certain; `doubt` then says why, if it has something like
    one. `tokens` are its other words and numbers, in order."""

    period: Period | None
    doubt: str | None
    tokens: tuple[Token, ...]

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(number for kind, number, _ in self.tokens if kind == 0)


def read_name(source_id: str, *, are_bare_digits_times: bool = True) -> NamedPlace:
    """What the path of a file below its folder says; pure. Its ending counts for nothing.

    `are_bare_digits_times` False: four or six digits beside a day (`2026-05-04-0007`) are a number, no time.
    """
    name = _HIVE.sub("", _ENDING.sub("", source_id))
    spans: list[tuple[int, int, Period | None]] = []
    for start, end, period in _dates(name, are_bare_digits_times):
        if not any(start < other_end and other_start < end for other_start, other_end, _ in spans):
            spans.append((start, end, period))
    periods = {period for *_, period in spans if period is not None}
    finest = _finest(periods)
    doubt = None
    if any(period is None for *_, period in spans):
        doubt = "a date with the day or the month first can be read in two ways"
    elif periods and finest is None:
        doubt = "two different dates in one name"
    if doubt is not None:
        return NamedPlace(None, doubt, tuple(_tokens(name, [(start, end, name[start:end]) for start, end, _ in spans])))
    return NamedPlace(finest, None, tuple(_tokens(name, [(start, end, "") for start, end, _ in spans])))


def folder_period(parts: tuple[str, ...]) -> Period | None:
    """What a folder is named after, by the parts of its path: `dt=2026-05-09`, `2026/05/09`, `year=2026/month=5/…`."""
    last = read_name(parts[-1] if parts else "").period
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


def _dates(name: str, are_bare_digits_times: bool) -> Iterator[tuple[int, int, Period | None]]:
    """Everything like a date, surest first; None: one that is read in two ways. Later ones may lie on earlier ones."""
    name = _UUID.sub(lambda uuid: "x" * len(uuid[0]), name)
    for match in _MOMENT.finditer(name):
        day = _day(match["year"], match["month"] or match["month2"], match["day"] or match["day2"])
        if day is None:
            continue
        is_bare = match["before"] in tuple("-_./ ") and not match["colon"]
        if is_bare and not are_bare_digits_times:
            yield match.start(), match.start("before"), _days(day, 1)
        else:
            yield match.start(), match.end(), _moment(day, match)
    for match in _DAY_AND_HOUR.finditer(name):
        day = _day(match[1], match[2], match[3])
        if day is not None:
            yield match.start(), match.end(), _instant(day, int(match[4]), length=timedelta(hours=1))
    for match in _WEEK.finditer(name):
        try:
            monday = date.fromisocalendar(int(match[1]), int(match[2]), int(match[3] or 1))
        except ValueError:
            continue
        yield match.start(), match.end(), _days(monday, 1 if match[3] else 7)
    for match in _EPOCH.finditer(name):
        start = datetime.fromtimestamp(int(match[1]), UTC)
        start += timedelta(milliseconds=int(match[2] or 0))
        length = timedelta(milliseconds=1) if match[2] else timedelta(seconds=1)
        yield match.start(), match.end(), Period(start, start + length, False)
    for match in _MONTH.finditer(name):
        first = date(int(match[1]), int(match[2]), 1)
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        yield match.start(), match.end(), _days(first, (after - first).days)
    for match in _DAY_FIRST.finditer(name):
        if _is_day_first(match):
            yield match.start(), match.end(), None


def _day(year: str, month: str, day: str) -> date | None:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if found.year in _YEARS else None


def _days(first: date, count: int) -> Period:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return Period(start, start + timedelta(days=count), True)


def _instant(day: date, hour: int, minute: int = 0, second: int = 0, micro: int = 0, *, length: timedelta) -> Period:
    start = datetime(day.year, day.month, day.day, hour, minute, second, micro, UTC)
    return Period(start, start + length, False)


def _moment(day: date, match: re.Match[str]) -> Period:
    if match["hour2"] is not None:
        return _instant(day, int(match["hour2"]), length=timedelta(hours=1))
    if match["hour"] is None:
        return _days(day, 1)
    length = timedelta(seconds=1) if match["second"] else timedelta(minutes=1)
    if match["fraction"]:
        length = timedelta(milliseconds=1)
    micro = int((match["fraction"] or "0").ljust(6, "0")[:6])
    period = _instant(day, int(match["hour"]), int(match["minute"]), int(match["second"] or 0), micro, length=length)
    zone = match["zone"] or ""
    if not zone.startswith("+"):
        return period
    ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return Period(period.start - ahead, period.end - ahead, False)


def _is_day_first(match: re.Match[str]) -> bool:
    first, second = match["a"] or match["a2"], match["b"] or match["b2"]
    if first is None:
        return True
    year = match["year"] or match["year2"]
    if int(year) not in (_YEARS if len(year) == 4 else _SHORT_YEARS):
        return False
    # A leap year: every day that any year has.
    return _day("2024", first, second) is not None or _day("2024", second, first) is not None


def _tokens(name: str, dates: list[tuple[int, int, str]]) -> Iterator[Token]:
    """Words and numbers around the dates; a date whose text is given stands as that word.

    Letters and then digits are a word and a number (`part10`); digits and then letters are one word, as in a hash.
    """
    place = 0
    for start, end, text in [*sorted(dates), (len(name), len(name), "")]:
        between = _UUID.sub(lambda uuid: f"x{uuid[0].replace('-', '')}x", name[place:start])
        for word in _WORD.findall(between):
            counted = _COUNTED.fullmatch(word)
            if counted is None:
                yield 1, 0, word.lower()
                continue
            if counted[1]:
                yield 1, 0, counted[1].lower()
            yield 0, int(counted[2]), ""
        if text:
            yield 1, 0, text
        place = end
