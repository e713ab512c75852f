"""What the last build of reconcile found: rows that do not add up, versions that nothing puts in order, and records
that name a record of a linked kind which Silver does not hold."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.obstacles import Code
from loader.partition import Partition
from loader.printable import counted, some
from loader.warehouse import are_built, built, fetch_rows

TIE_UNORDERED = "tie_unordered"
_FILES_TOLD = 4
_TIES = """
select record_kind::text, partition_key, manifest_id, source_id, asset_sequence, version_count
from reconcile.reconcile_tie
where (%(kind)s::text is null or record_kind = %(kind)s)
    and (%(days)s::date[] is null or partition_key = any(%(days)s))
order by record_kind, partition_key, asset_sequence, source_id, manifest_id
"""
LINK_MISSING = str(Code.LINK_MISSING)
_KEYS_TOLD = 3
SEGMENT_MISPLACED = "segment_misplaced"
_LINKS = """
select record_kind::text, partition_key::date, link_fault::text, field_name::text, linked_kind::text,
    is_awaited::boolean,
    count(*)::bigint, count(distinct linked_key)::bigint,
    coalesce((array_agg(distinct linked_key::text order by linked_key::text) filter (where is_shown))[:%(told)s], '{}')
from reconcile.reconcile_link
where (%(kind)s::text is null or record_kind = %(kind)s)
    and (%(days)s::date[] is null or partition_key = any(%(days)s))
group by 1, 2, 3, 4, 5, 6
order by 1, 2, 3, 4, 5
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of reconcile.reconcile_finding."""

    table_name: str
    check_name: str
    partition_key: date | None
    source_id: str | None
    finding_count: int
    detail: str
    # None: of any kind.
    record_kind: str | None = None

    def is_about(self, record_kind: str, day: date) -> bool:
        """Whether it is of this day of a kind, or may be."""
        return self.is_of_kind(record_kind) and self.partition_key in (None, day)

    def is_of_kind(self, record_kind: str) -> bool:
        """Whether it is of some day of a kind, or may be."""
        return self.record_kind in (None, record_kind)

    @property
    def line(self) -> str:
        partition = f" partition {self.partition_key}" if self.partition_key else ""
        asset = f" asset {self.source_id}" if self.source_id else ""
        return f"{self.table_name}{partition}{asset}: {self.check_name} ({self.finding_count}; {self.detail})"


def read_findings(cursor: Any) -> tuple[Finding, ...]:
    """What the last build of reconcile found, of whatever day."""
    rows = fetch_rows(
        built(cursor),
        "select table_name, check_name, record_kind, partition_key, source_id, finding_count, detail"
        " from reconcile.reconcile_finding order by table_name, check_name, record_kind, partition_key, source_id",
        (),
    )
    return tuple(Finding(**row) for row in rows)


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
    return some(files, _FILES_TOLD, ", ")


@dataclass(frozen=True, slots=True)
class LinkFault:
    """What `record_count` records of a partition name by `field_name`: `key_count` records of `linked_kind`, of which
    `keys` are the first; none where no report may show them. `fault`: link_missing where Silver does not hold these, or
    segment_misplaced where the records do not fit into them. `is_awaited`: it keeps the partition back."""

    record_kind: str
    partition_key: date
    fault: str
    field_name: str
    linked_kind: str
    is_awaited: bool
    record_count: int
    key_count: int
    keys: Sequence[str]

    @property
    def partition(self) -> Partition:
        return Partition(self.record_kind, self.partition_key)

    @property
    def line(self) -> str:
        """Who names what, how many of how many, and the first that are not there."""
        left = self.key_count - len(self.keys)
        more = [f"{left:,} more"] if left and self.keys else []
        named = f" ({', '.join([*self.keys, *more])})" if self.keys else ""
        if self.fault == SEGMENT_MISPLACED:
            segments = counted(self.record_count, "segment overlaps", "segments overlap")
            return f"{segments}, run backwards or end late in {self.key_count:,} of {self.linked_kind}{named}"
        are = "is" if self.key_count == 1 else "are"
        names = counted(self.record_count, "record names", "records name")
        return f"{names} {self.key_count:,} of {self.linked_kind} that {are} not there{named}"

    def as_record(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "partition_key": self.partition_key.isoformat(),
            "fault": self.fault,
            "field_name": self.field_name,
            "linked_kind": self.linked_kind,
            "is_awaited": self.is_awaited,
            "record_count": self.record_count,
            "key_count": self.key_count,
            "keys": list(self.keys),
        }


def in_short(links: Collection[LinkFault]) -> list[str]:
    """A line for each link: of one partition all that is known, of several how many records of how many."""
    lines = []
    for fault, linked_kind in dict.fromkeys((link.fault, link.linked_kind) for link in links):
        found = [link for link in links if (link.fault, link.linked_kind) == (fault, linked_kind)]
        days = len({link.partition_key for link in found})
        count = sum(link.record_count for link in found)
        if days == 1:
            lines += [f"{fault}: {link.line}" for link in found]
        elif fault == SEGMENT_MISPLACED:
            lines.append(f"{fault}: {counted(count, 'segment')} of {linked_kind}, on {counted(days, 'day')}")
        else:
            names = counted(count, "record names", "records name")
            lines.append(f"{fault}: {names} records of {linked_kind} that are not there, on {counted(days, 'day')}")
    return lines


def read_link_faults(cursor: Any, kind: str | None, days: Collection[date] | None = None) -> tuple[LinkFault, ...]:
    """All of them, or those of a kind, and of these days; none before reconcile_link was ever built."""
    if not are_built(cursor, "reconcile.reconcile_link"):
        return ()
    with built(cursor) as there:
        there.execute(_LINKS, {"kind": kind, "days": None if days is None else list(days), "told": _KEYS_TOLD})
        return tuple(LinkFault(*row) for row in there.fetchall())
