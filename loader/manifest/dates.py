"""Everything in a name that is like a date: a day, a time, a week, a month, an epoch; and what of it is doubted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

# Years of a delivery: of four digits, and of two; other numbers are no dates.
YEARS, SHORT_YEARS = range(1970, 2200), range(20, 50)
_NOT_IN_A_NUMBER = r"(?<![0-9])"
_YEAR = r"(?:19[7-9][0-9]|2[01][0-9][0-9])"
_MONTH_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_WHOLE_MONTH_NAMES = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t|tember)?|oct(?:ober)?"
    "|nov(?:ember)?|dec(?:ember)?"
)
_DATE = rf"""{_NOT_IN_A_NUMBER} (?P<year>{_YEAR})
    (?: (?P<sep>[-._/]) (?P<month>0?[1-9]|1[0-2]) (?P=sep) (?P<day>0?[1-9]|[12][0-9]|3[01]) (?![0-9])
      | (?P<month2>0[1-9]|1[0-2]) (?P<day2>0[1-9]|[12][0-9]|3[01]) )"""
# YYYYMMDD may touch its time; a date with separators has one before it. An hour alone needs the letter.
_MOMENT = re.compile(
    rf"""{_DATE}
    (?: (?P<before>_?T|[-_./\ ]|) (?!{_YEAR}[-._/]) (?P<hour>[01][0-9]|2[0-3]) (?P<colon>[-_:.]?) (?P<minute>[0-5][0-9])
        (?: (?P=colon) (?P<second>[0-5][0-9]) (?:[.,]?(?P<fraction>[0-9]{{3,9}}))? )?
        (?P<zulu>Z)? (?![0-9])
      | T(?P<hour2>[01][0-9]|2[0-3]) (?P<zulu2>Z)? (?![0-9])
      | (?![0-9]) )""",
    re.VERBOSE | re.IGNORECASE,
)
# Behind a time. A minus may also come before a number, and then nobody can tell.
_OFFSET = re.compile(r"(?P<sign>[-+])(?P<hours>[0-9]{1,2})(?:(?P<colon>[-_:]?)(?P<minutes>[0-9]{2}))?(?![0-9])")
_TWELVE_HOURS = re.compile(
    rf"""{_DATE} (?:_?T|[-_./,\s]*(?:at[-_\s])?)
    (?P<hour>0?[1-9]|1[0-2]) (?: (?P<colon>[-_:.]?) (?P<minute>[0-5][0-9]) (?: (?P=colon) (?P<second>[0-5][0-9]) )? )?
    [-_.\s]? (?P<half>[AP])\.?M (?![a-z0-9])""",
    re.VERBOSE | re.IGNORECASE,
)
_OTHER_HALF_DAY = re.compile(
    rf"{_NOT_IN_A_NUMBER}[0-9][-_.,:T\s0-9]*[ap]\.?m(?![a-z0-9])"
    rf"|(?<![a-z0-9])[ap]\.?m[-_.\s]*[0-9]{{1,2}}[-_.:][0-5][0-9](?![0-9])",
    re.IGNORECASE,
)
_DAY_AND_NUMBER = re.compile(rf"{_DATE}(?=[0-9])", re.VERBOSE)
_WEEK = re.compile(rf"{_NOT_IN_A_NUMBER}({_YEAR})[-_.]?W([0-9]{{2}})(?:-?([1-7]))?(?![0-9])", re.IGNORECASE)
_WEEK_WORD, _NOT_IN_A_WORD = r"(?:w|wk|cw|kw|week)", r"(?<![^\W_])"
_WEEK_FIRST = re.compile(
    rf"{_NOT_IN_A_WORD}{_WEEK_WORD}[-_.\ ]?([0-9]{{1,2}})[-_.\ ]?({_YEAR})(?![0-9])", re.IGNORECASE
)
_QUARTER = re.compile(
    rf"{_NOT_IN_A_NUMBER}(?P<year>{_YEAR})[-_./\ ]?Q(?P<number>[1-4])(?![0-9])"
    rf"|{_NOT_IN_A_WORD}Q(?P<number2>[1-4])[-_./\ ]?(?P<year2>{_YEAR})(?![0-9])",
    re.IGNORECASE,
)
_SHORT_YEAR_LAST = re.compile(
    rf"{_NOT_IN_A_WORD}(?:{_WEEK_WORD}|[qh])[-_.\ ]?[0-9]{{1,2}}[-_.\ ][2-4][0-9](?![0-9])", re.IGNORECASE
)
_MONTH = re.compile(rf"{_NOT_IN_A_NUMBER}({_YEAR})[-._/](0[1-9]|1[0-2])(?![0-9]|[-._/][0-9])")
_EPOCH = re.compile(rf"{_NOT_IN_A_NUMBER}([1-4][0-9]{{9}})([0-9]{{3}})?(?:[0-9]{{3}})?(?![0-9])")
_AHEAD_OF_CLOCK = timedelta(days=1)
# The day before the year, or the month: which is which, nobody can tell.
_DAY_FIRST = re.compile(
    rf"""{_NOT_IN_A_NUMBER} (?:
        [0-9]{{1,2}} (?P<sep>[-._/\ ]?) (?:{_MONTH_NAMES})[a-z]* (?P=sep) (?:[0-9]{{4}}|[0-9]{{2}})
      | (?<![a-z]) (?:{_WHOLE_MONTH_NAMES}) [-._/\ ]? [0-9]{{1,2}} [-._/,\ ]+ (?:{_YEAR}|[2-4][0-9])
      | (?P<a>[0-9]{{1,2}}) (?P<sep2>[-._/]) (?P<b>[0-9]{{1,2}}) (?P=sep2) (?P<year>[0-9]{{4}}|[0-9]{{2}})
      | (?P<a2>[0-9]{{2}}) (?P<b2>[0-9]{{2}}) (?P<year2>[0-9]{{4}}|[0-9]{{2}})
      | (?P<a3>[0-9]{{2}}) (?P<b3>[0-9]{{2}}) (?P<year3>20[0-4][0-9]) [0-9]{{1,8}}
    ) (?![0-9])""",
    re.VERBOSE | re.IGNORECASE,
)
_TWO_WAYS = "a date with the day or the month first can be read in two ways"
UUID = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE)


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


def dates_in(name: str, are_bare_digits_times: bool, now: datetime | None) -> Iterator[tuple[int, int, Period | str]]:
    """Everything like a date, surest first; a text: why it is doubted. Later ones may lie on earlier ones."""
    name = UUID.sub(lambda uuid: "x" * len(uuid[0]), name)
    yield from _moments(name, are_bare_digits_times)
    for match in _DAY_AND_NUMBER.finditer(name):
        day = _day_of(match)
        if day is not None:
            yield match.start(), match.end(), _days(day, 1)
    yield from _weeks_and_quarters(name)
    for match in _DAY_FIRST.finditer(name):
        if _is_day_first(match):
            yield match.start(), match.end(), _TWO_WAYS
    for match in _EPOCH.finditer(name):
        start = datetime.fromtimestamp(int(match[1]), UTC)
        start += timedelta(milliseconds=int(match[2] or 0))
        length = timedelta(milliseconds=1) if match[2] else timedelta(seconds=1)
        is_ahead = now is not None and start > now + _AHEAD_OF_CLOCK
        told = "a number that is an epoch in the future, or none" if is_ahead else Period(start, start + length, False)
        yield match.start(), match.end(), told
    for match in _MONTH.finditer(name):
        yield match.start(), match.end(), _months(int(match[1]), int(match[2]), 1)


def _moments(name: str, are_bare_digits_times: bool) -> Iterator[tuple[int, int, Period | str]]:
    """Days with a time, and without."""
    for match in _TWELVE_HOURS.finditer(name):
        day = _day_of(match)
        if day is not None:
            hour = int(match["hour"]) % 12 + (12 if match["half"] in "pP" else 0)
            length = timedelta(seconds=1) if match["second"] else timedelta(minutes=1 if match["minute"] else 60)
            minute, second = int(match["minute"] or 0), int(match["second"] or 0)
            yield match.start(), match.end(), _instant(day, hour, minute, second, length=length)
    for match in _OTHER_HALF_DAY.finditer(name):
        yield match.start(), match.end(), "AM or PM, and no time before it that is certain"
    for match in _MOMENT.finditer(name):
        day = _day_of(match)
        if day is None:
            continue
        end, ahead = _offset(name, match)
        is_bare = match["before"] in tuple("-_./ ") and not match["colon"]
        if ahead is None:
            yield match.start(), end, "what follows the time is its offset from UTC, or a number"
        elif is_bare and not are_bare_digits_times:
            yield match.start(), match.start("before"), _days(day, 1)
        else:
            period = _moment(day, match)
            yield match.start(), end, Period(period.start - ahead, period.end - ahead, period.is_whole_days)


def _weeks_and_quarters(name: str) -> Iterator[tuple[int, int, Period | str]]:
    weeks = [(match, match[1], match[2], match[3]) for match in _WEEK.finditer(name)]
    weeks += [(match, match[2], match[1], None) for match in _WEEK_FIRST.finditer(name)]
    for match, year, week, weekday in weeks:
        try:
            first = date.fromisocalendar(int(year), int(week), int(weekday or 1))
        except ValueError:
            continue
        yield match.start(), match.end(), _days(first, 1 if weekday else 7)
    for match in _QUARTER.finditer(name):
        year, number = match["year"] or match["year2"], match["number"] or match["number2"]
        yield match.start(), match.end(), _months(int(year), int(number) * 3 - 2, 3)
    for match in _SHORT_YEAR_LAST.finditer(name):
        yield match.start(), match.end(), "a week, quarter or half with a year of two digits, or two numbers"


def _day_of(match: re.Match[str]) -> date | None:
    return _day(match["year"], match["month"] or match["month2"], match["day"] or match["day2"])


def _day(year: str, month: str, day: str) -> date | None:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if found.year in YEARS else None


def _days(first: date, count: int) -> Period:
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    return Period(start, start + timedelta(days=count), True)


def _months(year: int, month: int, count: int) -> Period:
    first = date(year, month, 1)
    last = month - 1 + count
    return _days(first, (date(year + last // 12, last % 12 + 1, 1) - first).days)


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
    return _instant(day, int(match["hour"]), int(match["minute"]), int(match["second"] or 0), micro, length=length)


def _offset(name: str, match: re.Match[str]) -> tuple[int, timedelta | None]:
    """Where a time ends, and how far its clock is ahead of UTC; None: that is open.

    A minus with four digits is an offset behind a time that is certain: one with the letter T, or with colons.
    """
    found = _OFFSET.match(name, match.end())
    if found is None or match["zulu"] or match["zulu2"] or not (match["hour"] or match["hour2"]):
        return match.end(), timedelta()
    digits, colon = found["hours"] + (found["minutes"] or ""), found["colon"]
    hours, minutes = int(found["hours"]), int(found["minutes"] or 0)
    is_plausible = hours <= (14 if found["sign"] == "+" else 12) and minutes in (0, 15, 30, 45)
    is_written_out = found["minutes"] is not None and len(found["hours"]) == 2 and colon in ("", ":")
    has_colon = colon == ":" and is_written_out
    if found["sign"] == "+" or has_colon:
        is_offset, is_number = is_plausible and (is_written_out or len(digits) == 2), False
    elif match["hour2"] or "T" in match["before"].upper() or match["colon"] == ":":
        is_offset = is_plausible and is_written_out
        # `-1` and `-007` are numbers, and so is `-13`.
        is_number = len(found["hours"]) == 1 or (hours > 12 and not is_written_out)
    else:
        is_offset, is_number = False, not (is_plausible and is_written_out and match["second"] and int(digits))
    if is_number:
        return match.end(), timedelta()
    ahead = timedelta(hours=hours, minutes=minutes)
    return found.end(), (ahead if found["sign"] == "+" else -ahead) if is_offset else None


def _is_day_first(match: re.Match[str]) -> bool:
    first, second = match["a"] or match["a2"] or match["a3"], match["b"] or match["b2"] or match["b3"]
    if first is None:
        return True
    year = match["year"] or match["year2"] or match["year3"]
    if int(year) not in (YEARS if len(year) == 4 else SHORT_YEARS):
        return False
    # A leap year: every day that any year has.
    return _day("2024", first, second) is not None or _day("2024", second, first) is not None
