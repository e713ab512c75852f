"""Which partitions were asked for: a run that covered them read, or was to read, files with lines of theirs."""

from __future__ import annotations

from typing import Any

from loader.partition import Partition

_NEVER_ASKED = """
with
reading as (
    select whole.record_kind, part.partition_key, part.asset_id, part.taken_by_run_id
    from ops.asset_partition as part
    inner join ops.asset_reading as whole using (asset_id, ruleset_id)
    where whole.is_complete and part.record_line_count > 0
),
unasked as (
    select record_kind, partition_key, array_agg(asset_id) as asset_ids
    from reading group by record_kind, partition_key having count(taken_by_run_id) = 0
)
select unasked.record_kind, unasked.partition_key
from unasked
where not exists (
    select from ops.run_asset as entry
    inner join ops.ingest_run as run on run.run_id = entry.run_id and run.attempt = entry.attempt
    where entry.asset_id = any(unasked.asset_ids) and run.line_limit is null
        and unasked.partition_key >= coalesce(run.window_start, '-infinity')
        and unasked.partition_key < coalesce(run.window_end, 'infinity'))
"""


def never_asked(cursor: Any) -> frozenset[Partition]:
    """Partitions with indexed lines, none of them taken, over which no run was started: nothing is wrong with them."""
    cursor.execute(_NEVER_ASKED)
    return frozenset(Partition(*row) for row in cursor.fetchall())
