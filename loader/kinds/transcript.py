"""The rules of a transcript's segment beyond its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from loader.contract import LineFault

# Raise it when a rule or its explanation changes: lines read before are then read again.
VERSION = "1"

ENDS_BEFORE_START = "ends_before_start"
REJECT_CODES = frozenset({ENDS_BEFORE_START})
WARNING_CODES: frozenset[str] = frozenset()


def is_refused(record: Mapping[str, Any]) -> bool:
    """True when the segment ends before it starts. One that takes no time is one."""
    start, end = record.get("start_seconds"), record.get("end_seconds")
    return isinstance(start, Decimal) and isinstance(end, Decimal) and end < start


def faults(record: Mapping[str, Any]) -> Iterator[LineFault]:
    """Why is_refused says so. `record` may break its schema as well."""
    if is_refused(record):
        yield LineFault(ENDS_BEFORE_START, "$.end_seconds", "is before start_seconds")


def warnings(record: Mapping[str, Any], instants: Mapping[str, datetime | None]) -> list[str]:
    """None: where a segment stands among others, no line can see."""
    return []
