"""RFC 3339 instants and dates, read once and in one way: every later layer uses the value that this module returns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

INVALID_TIMESTAMP = "invalid_timestamp"
INVALID_DATE = "invalid_date"
TIMESTAMP_OUT_OF_RANGE = "timestamp_out_of_range"

# PostgreSQL refuses offsets of 16 hours and more; the payload is cast again in SQL.
_OFFSET_LIMIT = timedelta(hours=16)

_INSTANT = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_DATE = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
_SECOND_60 = re.compile(r"(.{17})60(.*)", re.DOTALL)
_YEAR_0000 = "0000-"


class TimestampError(ValueError):
    """The text is no instant, or no date, that the warehouse can hold; `reason_code` says which of these it is."""

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code
        self.message = message


def parse_instant(text: str) -> datetime:
    """The aware UTC instant of an RFC 3339 date-time, truncated (never rounded) to the microsecond.

    Lower-case `t` and `z` are read, as both validators read them. Raises TimestampError: `invalid_timestamp`
    when the text is no RFC 3339 date-time, `timestamp_out_of_range` when it is one that PostgreSQL or Python
    cannot hold (year 0000, second 60, offset of 16 hours or more, UTC instant outside the years 0001 to
    9999).
    """
    if _INSTANT.fullmatch(text) is None:
        raise _refusal(text)
    try:
        # Beyond the sixth digit of a fraction, fromisoformat truncates.
        instant = datetime.fromisoformat(text.upper())
    except ValueError:
        if text.startswith(_YEAR_0000):
            raise TimestampError(TIMESTAMP_OUT_OF_RANGE, "year 0000") from None
        raise TimestampError(INVALID_TIMESTAMP, "the month has no such day") from None
    if instant.tzinfo is UTC:
        return instant
    offset = instant.utcoffset()
    if offset is None or abs(offset) >= _OFFSET_LIMIT:
        raise TimestampError(TIMESTAMP_OUT_OF_RANGE, "offset of 16 hours or more")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise TimestampError(TIMESTAMP_OUT_OF_RANGE, "UTC instant outside the years 0001 to 9999") from None


def parse_date_start(text: str) -> datetime:
    """The first microsecond of the UTC day that an RFC 3339 full-date names.

    A date is ordered as this instant, among dates and among instants: Bronze holds it, and `instant_of` of dbt's
    macros says the same in SQL. Raises TimestampError, `invalid_date`, where the text is not YYYY-MM-DD in ASCII
    digits, or the calendar of the years 0001 to 9999 has no such day.
    """
    if _DATE.fullmatch(text) is None:
        raise TimestampError(INVALID_DATE, "no RFC 3339 full-date")
    try:
        return datetime(int(text[:4]), int(text[5:7]), int(text[8:]), tzinfo=UTC)
    except ValueError:
        what = "year 0000" if text.startswith(_YEAR_0000) else "the month has no such day"
        raise TimestampError(INVALID_DATE, what) from None


# By the format that a schema names: what reads a text of it, and the code where it is none.
PARSER_OF_FORMAT: Mapping[str, Callable[[str], datetime]] = {"date-time": parse_instant, "date": parse_date_start}
CODE_OF_FORMAT: Mapping[str, str] = {"date-time": INVALID_TIMESTAMP, "date": INVALID_DATE}


def _refusal(text: str) -> TimestampError:
    second_60 = _SECOND_60.fullmatch(text)
    if second_60 is not None and _INSTANT.fullmatch(f"{second_60[1]}59{second_60[2]}") is not None:
        return TimestampError(TIMESTAMP_OUT_OF_RANGE, "second 60")
    return TimestampError(INVALID_TIMESTAMP, "no RFC 3339 date-time")
