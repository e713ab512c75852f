"""What somebody let pass: drift, and files with too many rejects. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from loader.obstacles import exceeds
from loader.partition import Partition, side_by_side
from loader.release.releases import PARTITIONS, Act
from loader.warehouse import built

# The check of an acceptance that is about rejects; its measure is the asset.
TOO_MANY_REJECTS = "too_many_rejects"

REJECTING = (
    "unnest(%(asset_ids)s::integer[], %(ruleset_ids)s::integer[], %(source_ids)s::text[])"
    " as asset (asset_id, ruleset_id, source_id)"
)

# Partitions with lines of these assets, but for those for which somebody has let their rejects pass.
_REJECTING_DAYS = f"""
select source.record_kind, part.partition_key, asset.asset_id, asset.source_id
from {REJECTING}
inner join ops.asset_partition as part on part.asset_id = asset.asset_id and part.ruleset_id = asset.ruleset_id
inner join ops.source_asset as source on source.asset_id = asset.asset_id
where not exists (
    select from release.acceptance as accepted
    where accepted.record_kind = source.record_kind and accepted.partition_key = part.partition_key
        and accepted.check_name = %(check)s and accepted.measure = 'asset ' || asset.asset_id)
order by source.record_kind, part.partition_key, asset.source_id
"""


def accept_drift(cursor: Any, partitions: Sequence[Partition], act: Act) -> list[int]:
    """Let the drift that is known of these partitions pass, whatever runs; accepted before, it keeps that reason.
    Returns the numbers of the acceptances (release.acceptance)."""
    wanted = side_by_side(partitions)
    with built(cursor) as there:
        there.execute(
            "select distinct record_kind::text, partition_key::date, check_name::text, measure::text"
            f" from reconcile.drift_finding where (record_kind, partition_key) in (select * from {PARTITIONS})",
            wanted,
        )
        found = there.fetchall()
    cursor.execute(
        "insert into release.acceptance (record_kind, partition_key, check_name, measure, operator, reason, trace_id)"
        " select record_kind, partition_key, check_name, measure, %s, %s, %s"
        " from unnest(%s::text[], %s::date[], %s::text[], %s::text[])"
        " as drift (record_kind, partition_key, check_name, measure)"
        " on conflict do nothing returning acceptance_id",
        (act.operator, act.reason, act.trace_id, *_columns_of(found, 4)),
    )
    return [number for (number,) in cursor.fetchall()]


def accept_rejects(cursor: Any, partitions: Sequence[Partition], act: Act) -> list[int]:
    """Let the rejects pass of every file with lines of these partitions, however many they are, and whatever runs; the
    file's other partitions are not meant. Returns the numbers of the acceptances (release.acceptance)."""
    cursor.execute(
        "insert into release.acceptance (record_kind, partition_key, check_name, measure, operator, reason, trace_id)"
        " select distinct source.record_kind, part.partition_key, %(check)s, 'asset ' || part.asset_id,"
        "  %(operator)s, %(reason)s, %(trace)s"
        " from ops.asset_partition as part"
        " inner join ops.source_asset as source on source.asset_id = part.asset_id"
        f" inner join {REJECTING} on asset.asset_id = part.asset_id and asset.ruleset_id = part.ruleset_id"
        f" where (source.record_kind, part.partition_key) in (select * from {PARTITIONS})"
        " on conflict do nothing returning acceptance_id",
        {
            "check": TOO_MANY_REJECTS,
            "operator": act.operator,
            "reason": act.reason,
            "trace": act.trace_id,
            **side_by_side(partitions),
            **rejecting_assets(cursor),
        },
    )
    return [number for (number,) in cursor.fetchall()]


class RejectingFile(NamedTuple):
    """A file of which more lines are rejected than policy allows, and a partition that has lines of it."""

    partition: Partition
    asset_id: int
    source_id: str


def files_over_limit(cursor: Any, reject_limit: float) -> list[RejectingFile]:
    """Those that nobody has let pass, by partition. `reject_limit`: the greatest share of a file's lines that may be
    rejected; beyond it the days of the file are not sound."""
    rejecting = rejecting_assets(cursor, reject_limit)
    cursor.execute(_REJECTING_DAYS, {"check": TOO_MANY_REJECTS, **rejecting})
    return [RejectingFile(Partition(kind, day), *of_file) for kind, day, *of_file in cursor.fetchall()]


def rejecting_assets(cursor: Any, reject_limit: float | None = None) -> dict[str, list[Any]]:
    """Assets of which lines are rejected, or more than a limit allows, as the last reconcile counted them: the
    parameters of REJECTING."""
    names = ("asset_ids", "ruleset_ids", "source_ids")
    with built(cursor) as there:
        there.execute(
            "select asset_id::integer, ruleset_id::integer, source_id::text, limited_record_count::bigint,"
            " limited_rejected_count::bigint, is_record from reconcile.reconcile_asset where rejected_count > 0"
        )
        found = [
            of_asset
            for *of_asset, record_count, rejected_count, is_record in there.fetchall()
            if reject_limit is None or exceeds(reject_limit, record_count, rejected_count, are_files=is_record)
        ]
    return dict(zip(names, _columns_of(found, len(names)), strict=True))


def _columns_of(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """A list per column, for unnest."""
    return [[row[place] for row in rows] for place in range(width)]
