"""One version of a ticket, as the loader would find it on a line."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import orjson

START = datetime(2026, 4, 17, 8, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@dataclass(frozen=True, slots=True)
class Version:
    """One record of a ticket. `created` and `updated` are hours after 2026-04-17 08:00 UTC."""

    ticket: int
    created: float = 0
    updated: float | None = None
    status: str = "open"
    customer: str = "C1"
    source: str = "a"

    @property
    def ticket_id(self) -> str:
        return f"TKT-20260417-{self.ticket:06d}"

    @property
    def version_at(self) -> datetime:
        return at(self.created if self.updated is None else self.updated)

    @property
    def partition_key(self) -> date:
        return at(self.created).date()

    @property
    def payload(self) -> bytes:
        record = {
            "ticket_id": self.ticket_id,
            "schema_version": "ticket_v1",
            "source_id": self.source,
            "customer_id": self.customer,
            "org_id": f"org of {self.customer} {self.status}",
            "status": self.status,
            "priority": "p3_medium",
            "product_line": "northstar_studio",
            "created_at": at(self.created).isoformat(),
            "pii_level": "none",
            "quality_gate": "pass",
            "owner": "tests",
        }
        if self.updated is not None:
            record["updated_at"] = at(self.updated).isoformat()
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(self.payload).digest()

    @property
    def event_id(self) -> uuid.UUID:
        return uuid.UUID(bytes=self.fingerprint[:16])
