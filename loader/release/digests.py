"""Are the rows those that were released: by count and digest, as they are kept and as readers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from types import MappingProxyType
from typing import Any

from loader.partition import Partition, days_of
from loader.warehouse import ReleasedKind, Role, Warehouse, released_kinds

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

# Days of a kind of which its view shows something else than the version that its pointer names; one snapshot.
_SEEN = """
with
seen as (
    select fact.partition_key, count(*) as record_count, coalesce(sum({digest}), 0) as record_digest
    from {served} as fact
    where {is_asked}
    group by fact.partition_key
),
released as (
    select fact.partition_key, version.record_count, version.record_digest
    from release.partition_pointer as fact
    inner join release.partition_version as version
        on version.record_kind = fact.record_kind and version.partition_key = fact.partition_key
        and version.data_release_id = fact.data_release_id
    where fact.record_kind = %(kind)s and {is_asked}
)
select partition_key, coalesce(seen.record_count, 0), coalesce(released.record_count, 0)
from seen
full join released using (partition_key)
where (coalesce(seen.record_count, 0), coalesce(seen.record_digest, 0))
    is distinct from (coalesce(released.record_count, 0), coalesce(released.record_digest, 0))
order by partition_key
"""


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


def unlike_released(
    warehouse: Warehouse, partitions: Sequence[Partition] | None = None
) -> dict[Partition, tuple[int, int]]:
    """Those of these partitions, or of all, that readers see otherwise than released: records seen, records released.

    Looks through the views as the role that owns them, in a session that can write nothing: a view runs with its
    owner's rights. Every record of the partitions is read and its digest computed. Ask view_faults first.
    """
    found: dict[Partition, tuple[int, int]] = {}
    session = warehouse.acting_as(Role.TRANSFORM).connect(application_name="omnisupport-views")
    session.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with closing(session), session.cursor() as cursor:
        for kind in released_kinds(cursor):
            days = None if partitions is None else days_of(partitions, kind.record_kind)
            cursor.execute("select to_regclass(%s) is null", (kind.served,))
            if days == [] or cursor.fetchone()[0]:
                continue
            query = _SEEN.format(
                served=kind.served,
                digest=kind.row_digest(cursor, "fact"),
                is_asked="true" if days is None else "fact.partition_key = any(%(days)s::date[])",
            )
            cursor.execute(query, {"kind": kind.record_kind, "days": days})
            found |= {Partition(kind.record_kind, day): (seen, released) for day, seen, released in cursor.fetchall()}
    return found
