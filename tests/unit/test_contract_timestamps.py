from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.contract.timestamps import TimestampError, parse_instant


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-04-17T08:00:00Z", datetime(2026, 4, 17, 8, tzinfo=UTC)),
        ("2026-04-17t08:00:00z", datetime(2026, 4, 17, 8, tzinfo=UTC)),
        ("2026-04-17T08:00:00+02:00", datetime(2026, 4, 17, 6, tzinfo=UTC)),
        ("2026-04-17T08:00:00-00:00", datetime(2026, 4, 17, 8, tzinfo=UTC)),
        ("2026-04-17T00:30:00+15:59", datetime(2026, 4, 16, 8, 31, tzinfo=UTC)),
        ("2026-04-17T08:00:00.1Z", datetime(2026, 4, 17, 8, 0, 0, 100_000, tzinfo=UTC)),
        ("2026-04-17T08:00:00.0000009Z", datetime(2026, 4, 17, 8, tzinfo=UTC)),
        ("2026-04-17T23:59:59.9999999Z", datetime(2026, 4, 17, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_an_instant_is_read_in_utc_and_truncated_to_the_microsecond(text: str, instant: datetime) -> None:
    """Prevents: a rounded fraction moves a record over midnight into the next partition."""
    parsed = parse_instant(text)
    assert parsed == instant
    assert parsed.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-04-17",
        "2026-04-17T08:00Z",
        "2026-04-17T08:00:00",
        "2026-04-17 08:00:00Z",
        "2026-04-17T08:00:00+0200",
        "2026-04-17T08:00:00+24:00",
        "2026-04-17T08:00:00+02:60",
        "2026-04-17T08:00:00.Z",
        "2026-04-17T08:00:00,5Z",
        "2026-04-17T24:00:00Z",
        "2026-04-17T08:60:00Z",
        "2026-04-17T08:00:61Z",
        "2026-00-17T08:00:00Z",
        "2026-13-17T08:00:00Z",
        "2026-04-00T08:00:00Z",
        "2026-04-31T08:00:00Z",
        "2026-02-29T08:00:00Z",
        "2026-W16-5T08:00:00Z",
        "20260417T080000Z",
        "10000-01-01T00:00:00Z",
        " 2026-04-17T08:00:00Z",
        "2026-04-17T08:00:00Z ",
        "2026-04-17T08:00:00Z\n",
        "2026-04-17T08:00:0/Z",
        "٢٠٢٦-04-17T08:00:00Z",
        "2026-04-17T08:00:00.٥Z",
        "2026-04-17T08:00:00−02:00",
    ],
)
def test_a_text_that_is_no_rfc_3339_date_time_is_invalid(text: str) -> None:
    """Prevents: two layers read one text as two instants."""
    with pytest.raises(TimestampError) as refusal:
        parse_instant(text)
    assert refusal.value.reason_code == "invalid_timestamp"


@pytest.mark.parametrize(
    "text",
    [
        "0000-04-17T08:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-04-17T08:00:60.5+02:00",
        "2026-04-17T08:00:00+16:00",
        "2026-04-17T08:00:00-23:59",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_an_instant_that_the_warehouse_cannot_hold_is_out_of_range(text: str) -> None:
    """Prevents: PostgreSQL refuses a value after the loader accepted its line."""
    with pytest.raises(TimestampError) as refusal:
        parse_instant(text)
    assert refusal.value.reason_code == "timestamp_out_of_range"


@given(
    instant=st.datetimes(timezones=st.just(UTC)).filter(lambda instant: 1 < instant.year < 9999),
    minutes=st.integers(-959, 959),
)
def test_every_instant_survives_writing_and_reading_at_any_offset(instant: datetime, minutes: int) -> None:
    """Prevents: an offset that is added where it should be taken away."""
    aware = instant.astimezone(timezone(timedelta(minutes=minutes)))
    assert parse_instant(aware.isoformat()) == aware
