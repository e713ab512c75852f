"""Releases, and the pointers that show them. Every function works in the caller's transaction.

A row of a record is kept once per content: from the release that first had it up to the one that replaced it. What a
partition shows is decided by its pointer alone, so a release writes what changed, and a step back writes no row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extras import Json

from loader.errors import CheckFailedError
from loader.obstacles import Obstacle
from loader.partition import Partition, side_by_side
from loader.release import feed
from loader.release.groups import Link, broken_links

# Partitions, side by side as kinds and days.
PARTITIONS = "unnest(%(kinds)s::text[], %(days)s::date[])"

# Each partition to the version that `targets` names beside it.
_MOVE_POINTERS = """
with
wanted as (
    select * from unnest(%(kinds)s::text[], %(days)s::date[], %(targets)s::bigint[])
    as wanted (record_kind, partition_key, target)
),
noted as (
    insert into release.pointer_move (moved_by, record_kind, partition_key, old_data_release_id, new_data_release_id)
    select %(release)s, wanted.record_kind, wanted.partition_key, coalesce(pointer.data_release_id, 0), wanted.target
    from wanted
    left join release.partition_pointer as pointer using (record_kind, partition_key)
    where pointer.data_release_id is distinct from wanted.target
    returning record_kind, partition_key, new_data_release_id
)
insert into release.partition_pointer (record_kind, partition_key, data_release_id, moved_by)
select record_kind, partition_key, new_data_release_id, %(release)s from noted
on conflict (record_kind, partition_key)
do update set data_release_id = excluded.data_release_id, moved_by = excluded.moved_by
"""


@dataclass(frozen=True, slots=True)
class Act:
    """Who moves pointers, why, and on the strength of which run; a command without a run has none."""

    kind: str
    operator: str
    trace_id: str
    reason: str | None = None
    run_id: str | None = None
    attempt: int | None = None
    dbt_invocation_id: str | None = None
    plan_id: str | None = None


def add_release(cursor: Any, act: Act) -> int:
    """A new release; its number."""
    cursor.execute(
        "insert into release.data_release"
        " (kind, run_id, attempt, trace_id, dbt_invocation_id, operator, reason, plan_id)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s) returning data_release_id",
        (
            act.kind,
            act.run_id,
            act.attempt,
            act.trace_id,
            act.dbt_invocation_id,
            act.operator,
            act.reason,
            act.plan_id,
        ),
    )
    return int(cursor.fetchone()[0])


def move_pointers(cursor: Any, release: int, targets: Mapping[Partition, int]) -> None:
    """Let each partition show the version beside it; 0: nothing; once for a release. What changes for readers by it is
    written down. Raises CheckFailedError as release_changes."""
    cursor.execute(_MOVE_POINTERS, {"release": release, **side_by_side(targets), "targets": list(targets.values())})
    feed.write_moved(cursor, release, {partition.record_kind for partition in targets})
    broken = broken_links(all_links(cursor), pointers(cursor))
    if broken:
        kinds = known_kinds(cursor)
        one, other = (side.named(kinds) for side in broken[0])
        raise CheckFailedError(
            f"records moved between {one} and {other}: readers would see them twice or not at all; nothing was"
            " released",
            next_command="make status",
        )


def pointers(cursor: Any) -> dict[Partition, int]:
    """Which version each partition shows; 0: none."""
    cursor.execute("select record_kind, partition_key, data_release_id from release.partition_pointer")
    return {Partition(kind, day): version for kind, day, version in cursor.fetchall()}


def all_links(cursor: Any) -> list[tuple[int, Partition, Partition]]:
    """Every link: the release that moved records, and the partitions that they moved between."""
    cursor.execute(
        "select data_release_id, record_kind, old_partition_key, new_partition_key from release.partition_link"
    )
    return [(release, Partition(kind, one), Partition(kind, other)) for release, kind, one, other in cursor.fetchall()]


def unseen_links(cursor: Any) -> set[Link]:
    """Links of releases that one of their partitions does not show."""
    cursor.execute(
        "select distinct link.record_kind, link.old_partition_key, link.new_partition_key"
        " from release.partition_link as link"
        " left join release.partition_pointer as old"
        "  on old.record_kind = link.record_kind and old.partition_key = link.old_partition_key"
        " left join release.partition_pointer as new"
        "  on new.record_kind = link.record_kind and new.partition_key = link.new_partition_key"
        " where link.data_release_id > least(coalesce(old.data_release_id, 0), coalesce(new.data_release_id, 0))"
    )
    return {(Partition(kind, one), Partition(kind, other)) for kind, one, other in cursor.fetchall()}


def known_kinds(cursor: Any) -> frozenset[str]:
    """Kinds of which the gate, a reader or somebody who holds a day knows a partition."""
    cursor.execute(
        "select record_kind from release.partition_gate union select record_kind from release.partition_pointer"
        " union select record_kind from release.partition_hold"
    )
    return frozenset(kind for (kind,) in cursor.fetchall())


def note_gate(cursor: Any, obstacles: Mapping[Partition, Sequence[Obstacle]], pending: Collection[Partition]) -> None:
    """What the gate says of each partition now. A partition that is not named is gone, except for what readers see of
    it: nothing is left to say."""
    named = side_by_side(obstacles)
    cursor.execute(
        "delete from release.partition_gate"
        f" where (record_kind, partition_key) not in (select * from {PARTITIONS})"
        " and (record_kind, partition_key) not in (select record_kind, partition_key from release.partition_pointer)",
        named,
    )
    cursor.execute(
        "update release.partition_gate set is_pending = false, obstacles = '[]', judged_at = clock_timestamp()"
        f" where (record_kind, partition_key) not in (select * from {PARTITIONS})"
        " and (is_pending or obstacles <> '[]')",
        named,
    )
    cursor.executemany(
        "insert into release.partition_gate as gate (record_kind, partition_key, is_pending, obstacles)"
        " values (%s, %s, %s, %s)"
        " on conflict (record_kind, partition_key) do update set is_pending = excluded.is_pending,"
        " obstacles = excluded.obstacles, judged_at = excluded.judged_at"
        " where (gate.is_pending, gate.obstacles) is distinct from (excluded.is_pending, excluded.obstacles)",
        [
            (*partition, partition in pending, Json([each.as_record() for each in found]))
            for partition, found in obstacles.items()
        ],
    )
