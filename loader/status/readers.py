"""What readers see of each partition, beside what is proved of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from loader.evidence.facts import fetch_rows
from loader.warehouse.built import are_built, built

# A day that nobody has asked for yet, its lines indexed and none of them taken, is nothing that readers wait for.
_SHOWN = """
select status.partition_key, status.data_release_id, status.released_at, status.is_held, status.is_ready, status.reason
from serving.partition_status as status
left join reconcile.reconcile_partition as part on part.partition_key = status.partition_key
where (%(day)s::date is null or status.partition_key = %(day)s)
    and (status.data_release_id is not null or status.is_held
        or not coalesce(part.landed_count = 0 and part.out_of_partition_count > 0, false))
order by status.partition_key
"""


def read_shown(cursor: Any, partition: date | None) -> Sequence[Mapping[str, Any]]:
    """Each partition that was released or waits for it, or the one asked for; none before the first release."""
    if not are_built(cursor, "serving.partition_status", "reconcile.reconcile_partition"):
        return []
    return fetch_rows(built(cursor), _SHOWN, {"day": partition})
