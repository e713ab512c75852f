"""RFC 3339 instants, read once and in one way: every later layer uses the value that this module returns."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

INVALID_TIMESTAMP = "invalid_timestamp"
TIMESTAMP_OUT_OF_RANGE = "timestamp_out_of_range"

# PostgreSQL refuses offsets of 16 hours and more; the payload is cast again in SQL.
_OFFSET_LIMIT = timedelta(hours=16)

_INSTANT = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"[Tt](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
    r"(?:\.[0-9]+)?(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_SECOND_60 = re.compile(r"(.{17})60(.*)", re.DOTALL)
_YEAR_0000 = "0000-"


class TimestampError(ValueError):
    """The text is no instant that the warehouse can hold; `reason_code` says which of the two it is."""

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


def _refusal(text: str) -> TimestampError:
    second_60 = _SECOND_60.fullmatch(text)
    if second_60 is not None and _INSTANT.fullmatch(f"{second_60[1]}59{second_60[2]}") is not None:
        return TimestampError(TIMESTAMP_OUT_OF_RANGE, "second 60")
    return TimestampError(INVALID_TIMESTAMP, "no RFC 3339 date-time")
