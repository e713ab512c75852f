"""Versions that nothing delivered puts in order, as dbt found them: a warning, and the files that it is about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.warehouse import are_built, built

TIE_UNORDERED = "tie_unordered"
_FILES_TOLD = 4

_TIES = """
select record_kind::text, partition_key, manifest_id, source_id, asset_sequence, version_count
from reconcile.reconcile_tie
where (%(kind)s::text is null or record_kind = %(kind)s)
    and (%(days)s::date[] is null or partition_key = any(%(days)s))
order by record_kind, partition_key, asset_sequence, source_id, manifest_id
"""


@dataclass(frozen=True, slots=True)
class Tie:
    """One row of reconcile.reconcile_tie. Names are null where no manifest declares the file any more."""

    record_kind: str
    partition_key: date | None
    manifest_id: str | None
    source_id: str | None
    sequence: int | None
    version_count: int

    def as_record(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "partition_key": None if self.partition_key is None else self.partition_key.isoformat(),
            "manifest_id": self.manifest_id,
            "source_id": self.source_id,
            "sequence": self.sequence,
            "version_count": self.version_count,
        }


def read_ties(cursor: Any, kind: str | None, days: Collection[date] | None = None) -> tuple[Tie, ...]:
    """Every tie, or those of a kind, and of these days, in upstream's order; none before reconcile_tie was ever
    built."""
    if not are_built(cursor, "reconcile.reconcile_tie"):
        return ()
    with built(cursor) as there:
        there.execute(_TIES, {"kind": kind, "days": None if days is None else list(days)})
        return tuple(Tie(*row) for row in there.fetchall())


def files_of(ties: Collection[Tie]) -> str:
    """The files that ties are between, each once, and how many more."""
    files = list(dict.fromkeys(f"{tie.source_id} of {tie.manifest_id}" for tie in ties))
    more = f" and {len(files) - _FILES_TOLD} more" if len(files) > _FILES_TOLD else ""
    return ", ".join(files[:_FILES_TOLD]) + more
