"""What a line becomes: a record with what every room asks of it, or a rejection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol


class AcceptedRecord(NamedTuple):
    """A record that its kind's contract, both validators and the loader's parser accept.

    `canonical` is the record's JSON with sorted keys, no insignificant space and without its envelope, the fields of
    the delivery, which `envelope` holds in the same form; `record_fingerprint` is the SHA-256 of `canonical` (32
    bytes). The rest are the roles that the kind declares, None where it declares none or the record has none. Instants
    are aware, UTC, truncated to the microsecond, a date the start of its UTC day: `created_at`, whose UTC day
    `partition_key` is, and `updated_at`, which orders versions before it.
    """

    canonical: bytes
    record_fingerprint: bytes
    record_key: str
    record_source: str
    person_id: str | None
    envelope: bytes
    created_at: datetime
    updated_at: datetime | None
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
    the UTC day that its kind partitions by if that can be read without doubt, else None.
    """

    reason_codes: tuple[str, ...]
    message: str
    json_path: str
    partition_key: date | None


@dataclass(frozen=True, slots=True)
class LineFault:
    """One fault of a line: its reason code, its JSON path, and words without values of the payload."""

    code: str
    place: str
    message: str


class Rules(Protocol):
    """A module of rules. `VERSION` is raised with each change of them: lines read before are then read again."""

    VERSION: str
    REJECT_CODES: frozenset[str]
    WARNING_CODES: frozenset[str]

    @staticmethod
    def is_refused(record: Mapping[str, Any]) -> bool:
        """Whether a record that its schema accepts is rejected all the same."""

    @staticmethod
    def faults(record: Mapping[str, Any]) -> Iterator[LineFault]:
        """Why; of a record that may break its schema as well."""

    @staticmethod
    def warnings(record: Mapping[str, Any], instants: Mapping[str, datetime | None]) -> list[str]:
        """Codes that an accepted record lands with. `instants`: every field that is one or a date, parsed."""


class NoRules:
    """The rules of a kind whose schema says everything."""

    VERSION = "1"
    REJECT_CODES: frozenset[str] = frozenset()
    WARNING_CODES: frozenset[str] = frozenset()

    @staticmethod
    def is_refused(record: Mapping[str, Any]) -> bool:
        return False

    @staticmethod
    def faults(record: Mapping[str, Any]) -> Iterator[LineFault]:
        return iter(())

    @staticmethod
    def warnings(record: Mapping[str, Any], instants: Mapping[str, datetime | None]) -> list[str]:
        return []
