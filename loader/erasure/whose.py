"""Whose the rows of a table are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loader.warehouse import released_kinds

# The kind of a row that a manifest or a file brought. Where the kind names no person, it is nobody's.
KIND_OF = {
    "ops.manifest_asset": "(select contract_ref from ops.manifest as one where one.manifest_id = held.manifest_id)",
    "ops.source_asset": "held.record_kind",
    "ops.asset_facts": "(select min(record_kind) from ops.source_asset as one"
    " where one.source_fingerprint = held.source_fingerprint)",
}


@dataclass(frozen=True, slots=True)
class Owners:
    """Which columns say whose a row is: of tables of records, by `schema.table`, where none means that it is nobody's;
    `elsewhere`: of the others, where they have one. `nameless`: kinds that name no person."""

    of_records: Mapping[str, tuple[str, ...]]
    elsewhere: tuple[str, ...]
    nameless: tuple[str, ...]

    def of(self, table: str, columns: Sequence[str]) -> tuple[str, ...] | None:
        """How a table says whose its rows are; None: nothing does."""
        if table in self.of_records:
            return self.of_records[table]
        return tuple(name for name in self.elsewhere if name in columns) or None


def owners_of_rows(cursor: Any) -> Owners:
    # A manifest is what upstream says of files, and is kept as it came. Whoever follows what changes has to be told
    # which record is gone: that keeps the key, and nothing else.
    of_records: dict[str, tuple[str, ...]] = {"ops.manifest": (), "release.change": ()}
    columns = ["person_id"]
    nameless = []
    for kind in released_kinds(cursor):
        person = () if kind.person_column is None else (kind.person_column,)
        of_records |= dict.fromkeys((f"bronze.{kind.bronze_table}", f"{kind.silver}_ranked"), ("person_id",))
        of_records |= dict.fromkeys((kind.silver, kind.rows), person)
        if kind.person_column is None:
            of_records |= dict.fromkeys(kind.built, ())
            nameless.append(kind.record_kind)
        columns += person
    return Owners(of_records, tuple(dict.fromkeys(columns)), tuple(nameless))
