"""A partition: a kind's records of one UTC day. What is proved, released, held or restored is a partition."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any, NamedTuple


class Partition(NamedTuple):
    """Ordered by kind, then by day. `day`: the UTC day of the field that the kind declares."""

    record_kind: str
    day: date

    def named(self, kinds: Collection[str]) -> str:
        """For people. `kinds`: those that the warehouse knows; where it is one, the day says it all."""
        return self.day.isoformat() if len(kinds) < 2 else f"{self.day} of {self.record_kind}"

    def as_record(self) -> dict[str, str]:
        """JSON-ready values."""
        return {"record_kind": self.record_kind, "partition_key": self.day.isoformat()}


def side_by_side(partitions: Iterable[Partition]) -> dict[str, list[Any]]:
    """The parameters of a query that takes them apart again: unnest(%(kinds)s::text[], %(days)s::date[])."""
    known = list(partitions)
    return {"kinds": [each.record_kind for each in known], "days": [each.day for each in known]}


def days_of(partitions: Iterable[Partition], record_kind: str) -> list[date]:
    """The days of one kind, in their order."""
    return sorted(each.day for each in partitions if each.record_kind == record_kind)


def variables_of(partitions: Iterable[Partition], kinds: Collection[str]) -> str:
    """Days of one kind (at least one day) as make's variables. `kinds`: those that the warehouse knows."""
    known = list(partitions)
    of_kind = f" KIND={known[0].record_kind}" if len(kinds) > 1 else ""
    return f"PARTITION={','.join(str(each.day) for each in known)}{of_kind}"
