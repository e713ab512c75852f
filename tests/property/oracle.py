"""What must become of an export, worked out anew with json, gzip and jsonschema: nothing of it is the loader's.

Slow, and it keeps the whole file in memory; it says what is right, not how to do it.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.contract.reference import reference_accepts

LONGEST_LINE = 10 * 1024 * 1024
DEEPEST = 64
_INSTANTS = ("created_at", "updated_at", "resolved_at", "sla_due_at")
_DATE_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))"
)


@dataclass(frozen=True)
class Expected:
    """A line: its place, what it is, and of a record its canonical form and day."""

    number: int
    offset: int
    length: int
    body: bytes
    kind: str
    canonical: bytes | None = None
    day: date | None = None

    @property
    def event_id(self) -> bytes | None:
        return None if self.canonical is None else hashlib.sha256(self.canonical).digest()[:16]


class _NoTicketError(Exception):
    pass


def content_of(delivered: bytes) -> bytes | None:
    """The content of a file, None for a gzip that Python cannot read."""
    if delivered[:2] != b"\x1f\x8b":
        return delivered
    try:
        return gzip.decompress(delivered)
    except (OSError, EOFError, zlib.error):
        return None


def lines_of(content: bytes) -> list[Expected]:
    """Each line of the content, in order."""
    found = []
    offset = 0
    for number, physical in enumerate(re.findall(rb"[^\n]*\n|[^\n]+", content), start=1):
        body = physical
        if body.endswith(b"\n"):
            body = body[:-1].removesuffix(b"\r")
        found.append(_judged(number, offset, len(physical), body))
        offset += len(physical)
    return found


def _judged(number: int, offset: int, length: int, body: bytes) -> Expected:
    if len(body) <= LONGEST_LINE and not body.strip(b" \t\r"):
        return Expected(number, offset, length, body, "blank")
    try:
        record = _ticket(body)
    except (_NoTicketError, RecursionError):
        return Expected(number, offset, length, body, "rejected")
    day = _instant(record["created_at"]).date()
    del record["ingest_batch_id"]
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return Expected(number, offset, length, body, "record", canonical, day)


def _ticket(body: bytes) -> dict[str, Any]:
    if len(body) > LONGEST_LINE:
        raise _NoTicketError
    try:
        record = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_no_name_twice,
            parse_constant=_refuse,
            parse_int=lambda digits: 0,
            parse_float=lambda digits: 0.5,
        )
    except ValueError:
        raise _NoTicketError from None
    for text in _texts(record, 0):
        if "\0" in text or any(0xD800 <= ord(character) <= 0xDFFF for character in text):
            raise _NoTicketError
    if not isinstance(record, dict) or not reference_accepts(record):
        raise _NoTicketError
    # The reference validator lets a newline after what a pattern or format allows.
    if not re.fullmatch("TKT-[0-9]{8}-[0-9]{6}", record["ticket_id"]):
        raise _NoTicketError
    for name in _INSTANTS:
        if record.get(name) is not None:
            _instant(record[name])
    if record["pii_level"] == "high" and record.get("pii_redacted") is not True:
        raise _NoTicketError
    return record


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _NoTicketError
    return dict(pairs)


def _refuse(name: str) -> None:
    raise _NoTicketError


def _texts(value: Any, depth: int) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict | list) and depth == DEEPEST:
        raise _NoTicketError
    members = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for member in members for text in _texts(member, depth + 1)]


def _instant(text: str) -> datetime:
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        raise _NoTicketError
    fraction = int((found[7] or "")[:6].ljust(6, "0"))
    try:
        year, month, day, hour, minute, second = (int(found[place]) for place in range(1, 7))
        moment = datetime(year, month, day, hour, minute, second, fraction, UTC)
        away = timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
        if away >= timedelta(hours=16) or int(found[10] or 0) > 59:
            raise _NoTicketError
        return moment - away if found[8] == "+" else moment + away
    except (ValueError, OverflowError):
        raise _NoTicketError from None
