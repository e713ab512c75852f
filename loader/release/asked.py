"""Which partitions a command is about, that names days and perhaps a kind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from loader.errors import CommandUsageError
from loader.partition import Partition
from loader.release.store import known_kinds
from loader.warehouse import released_kinds

# Kinds with lines of these days, or of which such a day was released or is held.
_KNOWN = """
select distinct asset.record_kind, part.partition_key
from ops.asset_partition as part
inner join ops.source_asset as asset on asset.asset_id = part.asset_id
where part.partition_key = any(%(days)s)
union
select record_kind, partition_key from release.partition_pointer where partition_key = any(%(days)s)
union
select record_kind, partition_key from release.partition_hold where partition_key = any(%(days)s)
"""


def asked_partitions(cursor: Any, days: Iterable[date], record_kind: str | None) -> list[Partition]:
    """The days of one kind, or else of every kind that knows them; a day that none knows, of every kind that has been
    judged, or where none was, of every kind there is. Sorted.

    Raises CommandUsageError for a kind that has nothing to release.
    """
    kinds = [kind.record_kind for kind in released_kinds(cursor)]
    if record_kind is not None:
        refuse_unknown_kind(kinds, record_kind)
        return sorted(Partition(record_kind, day) for day in set(days))
    wanted = sorted(set(days))
    cursor.execute(_KNOWN, {"days": wanted})
    known = {Partition(*row) for row in cursor.fetchall() if row[0] in kinds}
    nowhere = set(wanted) - {partition.day for partition in known}
    judged = known_kinds(cursor).intersection(kinds)
    return sorted(known | {Partition(kind, day) for day in nowhere for kind in judged or kinds})


def refuse_unknown_kind(kinds: Iterable[str], record_kind: str) -> None:
    """Raise CommandUsageError for a name that is none of these."""
    if record_kind not in kinds:
        raise CommandUsageError(
            f"KIND: got {record_kind}, expected one of {', '.join(kinds)}; nothing was done",
            next_command="loader kind list",
        )
