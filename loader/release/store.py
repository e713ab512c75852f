"""Released rows and the pointers to them. Every function works in the caller's transaction.

A row of a record is kept once per content: from the release that first had it up to the one that replaced it. What a
partition shows is decided by its pointer alone, so a release writes what changed, and a step back writes no row.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

from psycopg2.extras import Json

from loader.errors import CheckFailedError, RefusedError
from loader.obstacles import Obstacle, exceeds
from loader.partition import Partition, days_of, side_by_side
from loader.release.gate import Link, broken_links
from loader.release.retention import Version
from loader.warehouse import ReleasedKind, built, released_kinds

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

# Versions of a kind whose rows are not those that were released: rows that went or came, or, by the digest of what they
# hold now, were edited.
_UNLIKE = """
select version.partition_key, version.data_release_id,
    version.record_count, version.record_digest, count(row.partition_key), {held_digest}
from release.partition_version as version
left join {rows} as row
    on row.partition_key = version.partition_key and row.first_release_id <= version.data_release_id
    and (row.end_release_id is null or row.end_release_id > version.data_release_id)
where version.record_kind = %(kind)s and version.expired_by is null
    and (%(days)s::date[] is null or version.partition_key = any(%(days)s))
group by version.partition_key, version.data_release_id, version.record_count, version.record_digest
having (version.record_count, version.record_digest) <> (count(row.partition_key), {held_digest})
order by 1, 2
"""

# Rows of a kind that no version shows any more, once the versions of `gone_days` and `gone_versions`, side by side, are
# gone.
_UNSHOWN = """
from {rows} as row
where row.partition_key = any(%(gone_days)s::date[]) and row.end_release_id is not null
    and not exists (
        select from release.partition_version as version
        where version.record_kind = %(kind)s and version.partition_key = row.partition_key
            and version.expired_by is null
            and version.data_release_id >= row.first_release_id and version.data_release_id < row.end_release_id
            and (version.partition_key, version.data_release_id) not in (
                select gone_day, gone_version
                from unnest(%(gone_days)s::date[], %(gone_versions)s::bigint[]) as gone (gone_day, gone_version)
            )
    )
"""

_SHOWN = """
select row.partition_key, count(*), coalesce(sum(
    case
        when row.first_release_id <= known.version
            and (row.end_release_id is null or row.end_release_id > known.version)
            then row.row_digest
        else {digest}
    end
), 0)
from {rows} as row
inner join release.partition_pointer as pointer
    on pointer.record_kind = %(kind)s and pointer.partition_key = row.partition_key
inner join unnest(%(days)s::date[], %(known)s::bigint[]) as known (partition_key, version)
    on known.partition_key = row.partition_key
where row.partition_key = any(%(days)s) and row.first_release_id <= pointer.data_release_id
    and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
group by row.partition_key
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
            "select asset_id::integer, ruleset_id::integer, source_id::text, record_line_count::bigint,"
            " rejected_count::bigint from reconcile.reconcile_asset where rejected_count > 0"
        )
        found = [
            of_asset
            for *of_asset, record_count, rejected_count in there.fetchall()
            if reject_limit is None or exceeds(reject_limit, record_count, rejected_count)
        ]
    return dict(zip(names, _columns_of(found, len(names)), strict=True))


def _columns_of(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """A list per column, for unnest."""
    return [[row[place] for row in rows] for place in range(width)]


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


def move_pointers(cursor: Any, release: int, targets: Mapping[Partition, int]) -> None:
    """Let each partition show the version beside it; 0: nothing. Raises CheckFailedError as release_changes."""
    cursor.execute(_MOVE_POINTERS, {"release": release, **side_by_side(targets), "targets": list(targets.values())})
    broken = broken_links(all_links(cursor), pointers(cursor))
    if broken:
        kinds = known_kinds(cursor)
        one, other = (side.named(kinds) for side in broken[0])
        raise CheckFailedError(
            f"records moved between {one} and {other}: readers would see them twice or not at all; nothing was"
            " released",
            next_command="make status",
        )


def known_kinds(cursor: Any) -> frozenset[str]:
    """Kinds of which the gate, a reader or somebody who holds a day knows a partition."""
    cursor.execute(
        "select record_kind from release.partition_gate union select record_kind from release.partition_pointer"
        " union select record_kind from release.partition_hold"
    )
    return frozenset(kind for (kind,) in cursor.fetchall())


def pointers(cursor: Any) -> dict[Partition, int]:
    """Which version each partition shows; 0: none."""
    cursor.execute("select record_kind, partition_key, data_release_id from release.partition_pointer")
    return {Partition(kind, day): version for kind, day, version in cursor.fetchall()}


def newest_versions(cursor: Any) -> dict[Partition, int]:
    """The newest version that was released of each partition."""
    return {partition: known[-1] for partition, known in versions(cursor).items()}


def versions(cursor: Any) -> dict[Partition, list[int]]:
    """The versions that were released of each partition, oldest first; those that have expired included."""
    cursor.execute(
        "select record_kind, partition_key, array_agg(data_release_id order by data_release_id)"
        " from release.partition_version group by record_kind, partition_key"
    )
    return {Partition(kind, day): known for kind, day, known in cursor.fetchall()}


def expired(cursor: Any) -> dict[Version, int]:
    """The versions that have expired: the expiry that removed each."""
    cursor.execute(
        "select record_kind, partition_key, data_release_id, expired_by from release.partition_version"
        " where expired_by is not null"
    )
    return {(Partition(kind, day), version): expiry for kind, day, version, expiry in cursor.fetchall()}


def left_at(cursor: Any) -> dict[Version, datetime]:
    """When a pointer last left each version that one has left.

    A release is taken to be no earlier than those before it: where the clock went back, a version that readers have
    just seen is not taken for one of long ago.
    """
    cursor.execute(
        "select move.record_kind, move.partition_key, move.old_data_release_id, max(release.released_at)"
        " from release.pointer_move as move"
        " inner join ("
        "  select data_release_id, max(released_at) over (order by data_release_id) as released_at"
        "  from release.data_release"
        " ) as release on release.data_release_id = move.moved_by"
        " where move.old_data_release_id > 0"
        " group by move.record_kind, move.partition_key, move.old_data_release_id"
    )
    return {(Partition(kind, day), version): instant for kind, day, version, instant in cursor.fetchall()}


def unshown_count(cursor: Any, versions: Sequence[Version]) -> int:
    """Rows that no version shows once these are gone."""
    count = 0
    for kind in released_kinds(cursor):
        cursor.execute(f"select count(*) {_UNSHOWN.format(rows=kind.rows)}", _gone(kind, versions))
        count += int(cursor.fetchone()[0])
    return count


def expire(cursor: Any, versions: Sequence[Version], expiry: int) -> None:
    """Mark versions as gone with an expiry, and delete the rows that no other shows. Readers are not locked out."""
    for kind in released_kinds(cursor):
        gone = _gone(kind, versions)
        cursor.execute(f"delete {_UNSHOWN.format(rows=kind.rows)}", gone)
        cursor.execute(
            "update release.partition_version as version set expired_by = %(expiry)s"
            " from unnest(%(gone_days)s::date[], %(gone_versions)s::bigint[]) as gone (gone_day, gone_version)"
            " where version.record_kind = %(kind)s and version.partition_key = gone.gone_day"
            " and version.data_release_id = gone.gone_version",
            {**gone, "expiry": expiry},
        )


def _gone(kind: ReleasedKind, versions: Sequence[Version]) -> dict[str, Any]:
    gone = [(partition.day, version) for partition, version in versions if partition.record_kind == kind.record_kind]
    return {
        "kind": kind.record_kind,
        "gone_days": [day for day, _ in gone],
        "gone_versions": [version for _, version in gone],
    }


def shown_after(cursor: Any, release: int) -> dict[Partition, int]:
    """Which version each partition showed when a release had moved its pointers, restores included."""
    cursor.execute(
        "select distinct on (record_kind, partition_key) record_kind, partition_key, new_data_release_id"
        " from release.pointer_move where moved_by <= %s order by record_kind, partition_key, moved_by desc",
        (release,),
    )
    return {Partition(kind, day): version for kind, day, version in cursor.fetchall()}


def release_at(cursor: Any, instant: datetime) -> int:
    """The last release at or before an instant; 0: none.

    Raises RefusedError where the clock went back between releases, and a later one says to be from before the instant
    while an earlier one says to be from after it: nobody knows which of them readers saw then.
    """
    cursor.execute(
        "select coalesce(max(data_release_id) filter (where released_at <= %(instant)s), 0),"
        " coalesce(min(data_release_id) filter (where released_at > %(instant)s), 0) from release.data_release",
        {"instant": instant},
    )
    last, first_after = cursor.fetchone()
    if 0 < first_after < last:
        raise RefusedError(
            f"restore: the server's clock went back between releases {first_after} and {last}: each may be the one that"
            f" readers saw at {instant.isoformat()}; nothing was changed",
            next_command=f"make plan MODE=restore PARTITION=<the same day> RELEASE={last} REASON='<why>'"
            f"   # or {first_after - 1}, or between",
        )
    return int(last)


def all_links(cursor: Any) -> list[tuple[int, Partition, Partition]]:
    """Every link: the release that moved records, and the partitions that they moved between."""
    cursor.execute(
        "select data_release_id, record_kind, old_partition_key, new_partition_key from release.partition_link"
    )
    return [(release, Partition(kind, one), Partition(kind, other)) for release, kind, one, other in cursor.fetchall()]


def shown(
    cursor: Any, partitions: Sequence[Partition], known: Mapping[Partition, int] = MappingProxyType({})
) -> dict[Partition, tuple[int, int]]:
    """Rows that readers see of each partition, and the digest of what they hold now; of rows that its version in
    `known` shows too, the digest that is stored with them."""
    seen: dict[Partition, tuple[int, int]] = {}
    for kind in released_kinds(cursor):
        days = days_of(partitions, kind.record_kind)
        versions = [known.get(Partition(kind.record_kind, day), 0) for day in days]
        query = _SHOWN.format(rows=kind.rows, digest=kind.row_digest(cursor, "row"))
        cursor.execute(query, {"kind": kind.record_kind, "days": days, "known": versions})
        seen |= {Partition(kind.record_kind, day): (count, int(digest)) for day, count, digest in cursor.fetchall()}
    return {partition: seen.get(partition, (0, 0)) for partition in partitions}


def unlike(
    cursor: Any, partitions: Sequence[Partition] | None = None, *, is_content_read: bool = False
) -> list[tuple[Partition, int, tuple[int, int], tuple[int, int]]]:
    """Versions, of these partitions or of all, that cannot be shown as they were released: partition, version, its
    rows and their digest as recorded, and as they are. Expired ones are not asked.

    The digests are those that are stored with the rows; with `is_content_read`, those of what the rows hold now.
    """
    found = []
    for kind in released_kinds(cursor):
        digest = kind.row_digest(cursor, "row") if is_content_read else "row.row_digest"
        days = None if partitions is None else days_of(partitions, kind.record_kind)
        # For a version without rows the join gives one of nulls.
        held_digest = f"coalesce(sum({digest}) filter (where row.partition_key is not null), 0)"
        cursor.execute(
            _UNLIKE.format(rows=kind.rows, held_digest=held_digest), {"kind": kind.record_kind, "days": days}
        )
        found += [
            (Partition(kind.record_kind, day), version, (count, int(digest)), (held, int(held_digest)))
            for day, version, count, digest, held, held_digest in cursor.fetchall()
        ]
    return found


def edited_rows(cursor: Any, kind: ReleasedKind) -> dict[Partition, int]:
    """Rows of each partition of a kind, of any version, whose content is not that of their digest; every row is
    read."""
    cursor.execute(
        f"select partition_key, count(*) from {kind.rows} as fact where row_digest <> {kind.row_digest(cursor, 'fact')}"
        " group by partition_key"
    )
    return {Partition(kind.record_kind, day): count for day, count in cursor.fetchall()}


def recorded(cursor: Any, targets: Mapping[Partition, int]) -> dict[Partition, tuple[int, int]]:
    """Rows and digest of each partition's version, as its release recorded them; none for 0."""
    found = recorded_versions(cursor, [*targets.items()])
    return {partition: found.get((partition, version), (0, 0)) for partition, version in targets.items()}


def recorded_versions(cursor: Any, versions: Sequence[Version]) -> dict[Version, tuple[int, int]]:
    """Rows and digest of versions, as their releases recorded them."""
    cursor.execute(
        "select record_kind, partition_key, data_release_id, record_count, record_digest"
        " from release.partition_version"
        " inner join unnest(%(kinds)s::text[], %(days)s::date[], %(versions)s::bigint[])"
        " as wanted (record_kind, partition_key, data_release_id) using (record_kind, partition_key, data_release_id)",
        {
            **side_by_side(partition for partition, _ in versions),
            "versions": [version for _, version in versions],
        },
    )
    return {
        (Partition(kind, day), version): (count, int(digest)) for kind, day, version, count, digest in cursor.fetchall()
    }
