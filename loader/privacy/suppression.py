"""Whom a warehouse has erased, and what is kept out because of it when bytes arrive."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loader.contract import read_exactly
from loader.kinds import Field, Kind, Landing
from loader.privacy.person import owners, person_hash

# Kind and key.
Record = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Suppression:
    """Whom this warehouse has erased: the erasure by the person's keyed hash, and by that of each of their `records`
    (record_hash). Empty: nobody."""

    key: bytes
    erasures: Mapping[bytes, str]
    records: Mapping[bytes, str]

    def erasure_of(self, body: bytes, person: Field | None) -> str | None:
        """The erasure that a line falls under, of a kind with this field; the same for every reading of it, None for
        most lines."""
        for owner in sorted(owners(body, person)):
            found = self.erasures.get(person_hash(self.key, owner))
            if found is not None:
                return found
        return None

    def erasure_of_file(self, declared: str, kind: Kind) -> str | None:
        """The erasure that a whole file falls under: its record went with one, or one that it is erased with."""
        for record in () if kind.landing is None else records_of_file(declared, kind.name, kind.landing):
            found = self.records.get(record_hash(self.key, record))
            if found is not None:
                return found
        return None


def record_hash(key: bytes, record: Record) -> bytes:
    """What stands for a record of an erased person: HMAC-SHA256 under the warehouse's key."""
    return hmac.digest(key, "\x1f".join(record).encode(), hashlib.sha256)


def records_of_file(declared: str, record_kind: str, landing: Landing) -> Iterator[Record]:
    """The record that a file of this declaration is, if it is one, and those that it is erased with; none of a file of
    lines that is not whole, nor of one that no erasure can take."""
    links = [link for link in landing.links if link.is_erased_with] if declared else []
    if not links:
        return
    said = read_exactly(declared)
    own = [(record_kind, landing.roles.key)] if landing.facts is not None else []
    named = [*own, *((name, link.field) for link in links for name in link.kinds)]
    yield from ((kind, str(key)) for kind, field in named if (key := said.get(field)) is not None)
