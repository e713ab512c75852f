"""The ticket's rules beyond its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from loader.contract import LineFault

# Raise it when a rule or its explanation changes: lines read before are then read again.
VERSION = "3"

PII_NOT_REDACTED = "pii_not_redacted"
TICKET_DAY_MISMATCH = "ticket_day_mismatch"
RESOLVED_BEFORE_CREATED = "resolved_before_created"
REJECT_CODES = frozenset({PII_NOT_REDACTED})
WARNING_CODES = frozenset({TICKET_DAY_MISMATCH, RESOLVED_BEFORE_CREATED})


def is_refused(record: Mapping[str, Any]) -> bool:
    """True when `pii_level` is high and `pii_redacted` is not exactly true."""
    return record.get("pii_level") == "high" and record.get("pii_redacted") is not True


def faults(record: Mapping[str, Any]) -> Iterator[LineFault]:
    """Why is_refused says so. `record` may break its schema as well."""
    if is_refused(record):
        yield LineFault(PII_NOT_REDACTED, "$.pii_redacted", "pii_level is high, so this must be true")


def warnings(record: Mapping[str, Any], instants: Mapping[str, datetime | None]) -> list[str]:
    """Warning codes of an accepted record: it lands with them."""
    codes = []
    created_at, resolved_at = instants["created_at"], instants["resolved_at"]
    if created_at is not None:
        if resolved_at is not None and resolved_at < created_at:
            codes.append(RESOLVED_BEFORE_CREATED)
        if record["ticket_id"][4:12] != _day_digits(created_at.date()):
            codes.append(TICKET_DAY_MISMATCH)
    return codes


@lru_cache(maxsize=4096)
def _day_digits(day: date) -> str:
    """YYYYMMDD. strftime does not pad years below 1000 on every platform; isoformat does."""
    return day.isoformat().replace("-", "")
