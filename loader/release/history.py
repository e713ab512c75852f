"""What was released of each partition, and what readers saw when. Every function reads in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from loader.errors import RefusedError
from loader.partition import Partition, side_by_side
from loader.release.groups import History, Version
from loader.release.releases import all_links, pointers


def versions(cursor: Any) -> dict[Partition, list[int]]:
    """The versions that were released of each partition, oldest first; those that have expired included."""
    cursor.execute(
        "select record_kind, partition_key, array_agg(data_release_id order by data_release_id)"
        " from release.partition_version group by record_kind, partition_key"
    )
    return {Partition(kind, day): known for kind, day, known in cursor.fetchall()}


def newest_versions(cursor: Any) -> dict[Partition, int]:
    """The newest version that was released of each partition."""
    return {partition: known[-1] for partition, known in versions(cursor).items()}


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


def read_history(cursor: Any) -> History:
    """All that tells which versions may go."""
    return History(versions(cursor), expired(cursor).keys(), pointers(cursor), all_links(cursor), left_at(cursor))
