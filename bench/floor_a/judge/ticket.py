"""What a line becomes, and the ticket's business rules beyond its schema."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

# Raise it when a rule or an explanation in loader/contract changes: lines read before are then read again.
BUSINESS_RULES_VERSION = "1"

PII_NOT_REDACTED = "pii_not_redacted"
TICKET_DAY_MISMATCH = "ticket_day_mismatch"
UPDATED_BEFORE_CREATED = "updated_before_created"
RESOLVED_BEFORE_CREATED = "resolved_before_created"
WARNING_CODES = frozenset({TICKET_DAY_MISMATCH, UPDATED_BEFORE_CREATED, RESOLVED_BEFORE_CREATED})


class AcceptedRecord(NamedTuple):
    """A record that the contract, both validators and the loader's parser accept.

    `canonical` is the record's JSON with sorted keys, no insignificant space and without `ingest_batch_id`;
    `record_fingerprint` is its SHA-256 (32 bytes). Instants are aware, UTC, truncated to the microsecond; an
    optional one is None when it is null or absent. `partition_key` is the UTC day of `created_at`.
    """

    canonical: bytes
    record_fingerprint: bytes
    ticket_id: str
    source_id: str
    customer_id: str
    ingest_batch_id: str
    created_at: datetime
    updated_at: datetime | None
    resolved_at: datetime | None
    sla_due_at: datetime | None
    partition_key: date
    warning_codes: tuple[str, ...]

    @property
    def event_id(self) -> bytes:
        """The first 128 bits of the fingerprint: 16 bytes, a UUID's."""
        return self.record_fingerprint[:16]


@dataclass(frozen=True, slots=True)
class RejectedRecord:
    """A line that is kept, explained and not landed.

    `reason_codes` are sorted, unique and never empty. `message` has no NUL and repeats no value of the
    payload; `json_path` is the place of the first fault (`$`, `$.status`, `$.tags[3]`). `partition_key` is
    the UTC day of `created_at` if that can be read without doubt, else None.
    """

    reason_codes: tuple[str, ...]
    message: str
    json_path: str
    partition_key: date | None


def is_pii_unredacted(record: dict[str, Any]) -> bool:
    """True when `pii_level` is high and `pii_redacted` is not exactly true."""
    return record.get("pii_level") == "high" and record.get("pii_redacted") is not True


def warnings_of(
    ticket_id: str, created_at: datetime, updated_at: datetime | None, resolved_at: datetime | None
) -> tuple[str, ...]:
    """Warning codes of an accepted record, sorted: it lands with them."""
    codes = []
    if resolved_at is not None and resolved_at < created_at:
        codes.append(RESOLVED_BEFORE_CREATED)
    if ticket_id[4:12] != _day_digits(created_at.date()):
        codes.append(TICKET_DAY_MISMATCH)
    if updated_at is not None and updated_at < created_at:
        codes.append(UPDATED_BEFORE_CREATED)
    return tuple(codes)


@lru_cache(maxsize=4096)
def _day_digits(day: date) -> str:
    """YYYYMMDD. strftime does not pad years below 1000 on every platform; isoformat does."""
    return day.isoformat().replace("-", "")
