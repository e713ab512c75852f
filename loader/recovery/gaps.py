"""Partitions as the index and the warehouse know them, what each lacks, and which of them nobody has asked for; nothing
is scanned."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from loader.errors import NoLinesError
from loader.partition import Partition, days_of
from loader.recovery.plan import GapReason, PartitionState
from loader.recovery.world import World
from loader.warehouse import are_built, built, fetch_rows

# Lines that are in: of a day that was taken all; else as many as the last reconcile saw landed (under a ruleset that is
# new to an asset, no day of it has been taken yet, and most lines have landed long ago).
_PARTITIONS = """
with reading as (
    select part.partition_key, part.asset_id, part.record_line_count, part.rejected_line_count,
        case
            when part.taken_by_run_id is not null then part.record_line_count
            else least(part.record_line_count, coalesce(fate.line_count, 0))
        end as current_line_count
    from ops.asset_partition as part
    inner join ops.asset_reading as whole
        on whole.asset_id = part.asset_id and whole.ruleset_id = part.ruleset_id and whole.is_complete
            and whole.record_kind = %(kind)s
    left join {fates} as fate on fate.asset_id = part.asset_id and fate.partition_key = part.partition_key
    where (%(assets)s::int[] is null or part.asset_id = any(%(assets)s))
        and part.partition_key >= coalesce(%(start)s, '-infinity'::date)
        and part.partition_key < coalesce(%(end)s, 'infinity'::date)
)
select
    partition_key,
    sum(record_line_count)::bigint as expected_input_count,
    sum(rejected_line_count)::bigint as rejected_count,
    sum(current_line_count)::bigint as current_input_count,
    count(*) as asset_count,
    array_agg(asset_id) as asset_ids
from reading group by partition_key order by partition_key
"""

_FATES = """(
    select asset_id, partition_key, sum(line_count)::bigint as line_count from reconcile.reconcile_fate
    where fate in ('landed', 'duplicate') group by asset_id, partition_key
)"""
_NO_FATES = "(select null::integer as asset_id, null::date as partition_key, 0::bigint as line_count)"

# Day -> (records, rejects, assets), of what no run has indexed.
Unread = Mapping[date, tuple[int, int, int]]
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


def partition_states(
    world: World,
    window: tuple[date, date] | None,
    changed_assets: frozenset[int] = frozenset(),
    unread: Unread | None = None,
    only: Sequence[int] | None = None,
) -> list[PartitionState]:
    """Every partition of the window of which the index knows a line; `changed_assets`: whose source differs.

    `unread`: records, rejects and assets by day that no run has indexed yet; `only`: of these assets.
    """
    start, end = window or (None, None)
    parameter = None if only is None else list(only)
    found = _with_unread(
        fetch_rows(
            built(world.cursor),
            _PARTITIONS.format(fates=_FATES if _has(world, "reconcile.reconcile_fate") else _NO_FATES),
            {"start": start, "end": end, "assets": parameter, "kind": world.ruleset.contract_ref},
        ),
        unread or {},
        window,
    )
    proved = _reconciled(world)
    held = _silver_rows(world, window)
    lagging = _lagging_assets(world)
    states = []
    for row in found:
        asset_ids = frozenset(row.pop("asset_ids"))
        day = row["partition_key"]
        output = held.get(day, 0)
        has_lag = bool(lagging & asset_ids) or proved.get(day) != output
        reason = _gap_reason(row, is_changed=bool(asset_ids & changed_assets), has_lag=has_lag)
        states.append(
            PartitionState(
                record_kind=world.ruleset.contract_ref,
                **{**row, "partition_key": day.isoformat()},
                current_output_count=output,
                gap_reason=reason,
            )
        )
    return states


def states_among(world: World, partitions: Collection[Partition]) -> tuple[PartitionState, ...]:
    """Those of these, of whatever kind, of which the index knows a line."""
    found: list[PartitionState] = []
    for kind in dict.fromkeys(each.record_kind for each in sorted(partitions)):
        days = days_of(partitions, kind)
        named = {day.isoformat() for day in days}
        states = partition_states(world.of_kind(kind), (days[0], days[-1] + timedelta(days=1)))
        found += [state for state in states if state.partition_key in named]
    return tuple(found)


def nearest_partitions(world: World, window: tuple[date, date], unread: Iterable[date] = ()) -> list[date]:
    """The closest partitions with lines before and after a window; `unread`: days that no run has indexed."""
    world.cursor.execute(
        "select max(day) filter (where day < %(start)s), min(day) filter (where day >= %(end)s)"
        " from (select partition_key from ops.asset_partition inner join ops.source_asset using (asset_id)"
        "   where record_kind = %(kind)s"
        "  union select unnest(%(unread)s::date[])) as known (day)",
        {"start": window[0], "end": window[1], "unread": list(unread), "kind": world.ruleset.contract_ref},
    )
    return [day for day in world.cursor.fetchone() if day is not None]


def refuse_no_input(
    world: World, window: tuple[date, date], partitions: Sequence[PartitionState], unread: Iterable[date] = ()
) -> None:
    """Raise NoLinesError, naming the nearest data, when no line belongs to the window."""
    if any(partition.expected_input_count or partition.rejected_count for partition in partitions):
        return
    nearest = " and ".join(map(str, nearest_partitions(world, window, unread))) or "none"
    raise NoLinesError(
        f"no line belongs to {_in_words(window)}; nearest data: {nearest}; nothing was started",
        next_command="make status   # or make ingest, for assets that were never read",
    )


def _with_unread(rows: list[dict[str, Any]], unread: Unread, window: tuple[date, date] | None) -> list[dict[str, Any]]:
    by_day = {row["partition_key"]: row for row in rows}
    for day, (records, rejects, assets) in unread.items():
        if window is not None and not window[0] <= day < window[1]:
            continue
        nothing = {
            "partition_key": day,
            "expected_input_count": 0,
            "rejected_count": 0,
            "current_input_count": 0,
            "asset_count": 0,
            "asset_ids": [],
        }
        row = by_day.setdefault(day, nothing)
        row["expected_input_count"] += records
        row["rejected_count"] += rejects
        row["asset_count"] += assets
    return [by_day[day] for day in sorted(by_day)]


def _gap_reason(row: Mapping[str, Any], *, is_changed: bool, has_lag: bool) -> GapReason:
    expected, current = row["expected_input_count"], row["current_input_count"]
    if is_changed:
        return "source_changed"
    if expected == 0:
        return "rejected_only" if row["rejected_count"] else "no_gap_detected"
    if current == 0:
        return "missing_partition"
    if current < expected:
        return "partial_partition"
    return "output_lag" if has_lag else "no_gap_detected"


def _reconciled(world: World) -> dict[date, int]:
    """Rows of the kind's model of Silver by partition, as the last reconcile counted them."""
    if not _has(world, "reconcile.reconcile_partition"):
        return {}
    there = built(world.cursor)
    there.execute(
        "select partition_key, silver_row_count from reconcile.reconcile_partition where record_kind = %s",
        (world.ruleset.contract_ref,),
    )
    return {day: int(count) for day, count in there.fetchall()}


def _silver_rows(world: World, window: tuple[date, date] | None) -> dict[date, int]:
    """Rows of the kind's model of Silver by partition, counted now."""
    assert world.ruleset.kind.landing is not None
    model = f"silver.{world.ruleset.kind.landing.silver}"
    if not _has(world, model):
        return {}
    there = built(world.cursor)
    there.execute(
        f"select partition_key, count(*) from {model}"
        " where partition_key >= coalesce(%s, '-infinity'::date) and partition_key < coalesce(%s, 'infinity'::date)"
        " group by partition_key",
        window or (None, None),
    )
    return dict(there.fetchall())


def _lagging_assets(world: World) -> frozenset[int]:
    """Assets with a load that is completed and not in Silver yet."""
    if not _has(world, "silver.built_load"):
        return frozenset()
    there = built(world.cursor)
    there.execute(
        "select distinct mine.asset_id from ops.completed_load as load"
        " inner join ops.run_asset as mine on mine.run_id = load.run_id and mine.attempt = load.attempt"
        " where mine.action = 'parsed' and load.load_id not in (select load_id from silver.built_load)"
    )
    return frozenset(int(asset_id) for (asset_id,) in there.fetchall())


def _has(world: World, table: str) -> bool:
    return are_built(world.cursor, table)


def _in_words(window: tuple[date, date]) -> str:
    last = date.fromordinal(window[1].toordinal() - 1)
    return str(last) if window[0] == last else f"{window[0]} to {last}"


def never_asked(cursor: Any) -> frozenset[Partition]:
    """Partitions with indexed lines, none of them taken, over which no run was started: nothing is wrong with them."""
    cursor.execute(_NEVER_ASKED)
    return frozenset(Partition(*row) for row in cursor.fetchall())
