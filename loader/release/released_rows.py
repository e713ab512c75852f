"""Released rows: what changed comes in with a release, what no version shows goes with an expiry. In the caller's
transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loader.errors import CheckFailedError
from loader.partition import Partition, days_of
from loader.release.groups import Version
from loader.release.history import newest_versions
from loader.release.releases import move_pointers
from loader.warehouse import ReleasedKind, copy_built, released_kinds

_MAKE_ROWS = """
create temporary table silver_row on commit drop as select {columns} from {rows} with no data
"""

_CLOSE_ROWS = """
update {rows} as held
set end_release_id = %(release)s
from pg_temp.release_change as change
where change.record_kind = %(kind)s and held.{key} = change.record_key and held.end_release_id is null
    and change.old_partition_key = any(%(days)s)
"""

# With the digest of what is kept, which has to be the one that was compared. Says what came into each day.
_ADD_ROWS = """
with added as (
    insert into {rows} (first_release_id, row_digest, {columns})
    select %(release)s, fact.row_digest, {fact_columns}
    from (select fact.*, {digest} as row_digest from pg_temp.silver_row as fact offset 0) as fact
    inner join pg_temp.release_change as change
        on change.record_kind = %(kind)s and change.record_key = fact.{key}
        and change.new_partition_key = fact.partition_key
        and fact.row_digest = coalesce(change.new_digest, fact.row_digest)
    where change.new_partition_key = any(%(days)s)
    returning partition_key, row_digest
)
select partition_key, count(*), sum(row_digest) from added group by partition_key
"""

# A partition's version: the one before, without the rows that left, with those that came.
_ADD_VERSIONS = """
insert into release.partition_version (record_kind, partition_key, data_release_id, record_count, record_digest)
select
    %(kind)s,
    wanted.partition_key,
    %(release)s,
    coalesce(latest.record_count, 0) + coalesce(change.record_count, 0),
    coalesce(latest.record_digest, 0) + coalesce(change.record_digest, 0)
from unnest(%(days)s) as wanted (partition_key)
left join (
    select partition_key, sum(record_count) as record_count, sum(record_digest) as record_digest
    from (
        select *
        from unnest(%(added_days)s::date[], %(added_counts)s::bigint[], %(added_digests)s::numeric[])
            as added (partition_key, record_count, record_digest)
        union all
        select old_partition_key, -1, -old_digest from pg_temp.release_change where record_kind = %(kind)s
    ) as sides
    where partition_key is not null
    group by partition_key
) as change using (partition_key)
left join (
    select distinct on (partition_key) partition_key, record_count, record_digest
    from release.partition_version where record_kind = %(kind)s order by partition_key, data_release_id desc
) as latest using (partition_key)
where change.partition_key is not null or latest.partition_key is null
"""

_ADD_LINKS = """
insert into release.partition_link as link
    (data_release_id, record_kind, old_partition_key, new_partition_key, record_count)
select data_release_id, %(kind)s, old_partition_key, new_partition_key, count(*)
from (
    select %(release)s::bigint as data_release_id, old_partition_key, new_partition_key
    from pg_temp.release_change
    where record_kind = %(kind)s and old_partition_key <> new_partition_key and old_partition_key = any(%(days)s)
    union all
    select data_release_id, old_partition_key, new_partition_key
    from ({returned}) as returned
    where old_partition_key <> new_partition_key and new_partition_key = any(%(days)s)
) as moved
group by data_release_id, old_partition_key, new_partition_key
on conflict (record_kind, data_release_id, old_partition_key, new_partition_key)
do update set record_count = link.record_count + excluded.record_count
"""

# Records of a kind that had left Silver, and come back in another partition: the release that showed them no more, and
# where they were. An earlier version of that partition shows them still.
RETURNED = """
select distinct on (change.record_key)
    gone.end_release_id as data_release_id,
    gone.partition_key as old_partition_key,
    change.new_partition_key
from pg_temp.release_change as change
inner join {rows} as gone on gone.{key} = change.record_key
where change.record_kind = %(kind)s and change.old_partition_key is null and gone.end_release_id is not null
order by change.record_key asc, gone.end_release_id desc
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


def release_changes(cursor: Any, release: int, partitions: Sequence[Partition]) -> None:
    """After find_changes: keep what changed in `partitions`, and let each of them show its newest version.

    `partitions` holds both sides of every link, or neither. Raises CheckFailedError, and the transaction must not
    commit, where readers would see a record twice or not at all.
    """
    released = {partition.record_kind for partition in newest_versions(cursor)}
    for kind in released_kinds(cursor):
        days = days_of(partitions, kind.record_kind)
        if not days:
            continue
        names = {"rows": kind.rows, "key": kind.key_column}
        parameters = {"release": release, "kind": kind.record_kind, "days": days}
        cursor.execute(_CLOSE_ROWS.format(**names), parameters)
        added = _add_rows(cursor, kind, parameters, is_first=kind.record_kind not in released)
        cursor.execute(_ADD_VERSIONS, {**parameters, **added})
        cursor.execute(_ADD_LINKS.format(returned=RETURNED.format(**names)), parameters)
    newest = newest_versions(cursor)
    move_pointers(cursor, release, {partition: newest[partition] for partition in partitions})


def _add_rows(
    cursor: Any, kind: ReleasedKind, parameters: Mapping[str, Any], *, is_first: bool
) -> Mapping[str, Sequence[Any]]:
    """Keep the rows of Silver with their digests. What came into each day, as _ADD_VERSIONS asks for it."""
    names = [name for name, _ in kind.columns(cursor)]
    columns, fact_columns = ", ".join(names), ", ".join(f"fact.{name}" for name in names)
    cursor.execute(_MAKE_ROWS.format(rows=kind.rows, columns=columns))
    wanted_count = _take_rows(cursor, kind, parameters, names, is_first=is_first)
    told = {"rows": kind.rows, "key": kind.key_column, "digest": kind.row_digest(cursor, "fact")}
    cursor.execute(_ADD_ROWS.format(**told, columns=columns, fact_columns=fact_columns), parameters)
    added = cursor.fetchall()
    added_count = sum(count for _, count, _ in added)
    if added_count != wanted_count:
        raise CheckFailedError(
            f"{kind.silver}: got {added_count} of {wanted_count} rows as they were compared, expected all: its"
            " columns are not of the types that are released; nothing was released",
            next_command="make build   # makes it anew",
        )
    cursor.execute("drop table pg_temp.silver_row")
    return {
        "added_days": [day for day, _, _ in added],
        "added_counts": [count for _, count, _ in added],
        "added_digests": [digest for _, _, digest in added],
    }


def _take_rows(
    cursor: Any, kind: ReleasedKind, parameters: Mapping[str, Any], names: Sequence[str], *, is_first: bool
) -> int:
    """Take rows of Silver over as values of the types that they are kept in. How many of them are wanted.

    A first release wants nearly all: a list of so many keys would cost more than the rows.
    """
    what, is_wanted = "count(*)", "true"
    if not is_first:
        what, is_wanted = "record_key", f"fact.{kind.key_column} in (select unnest(%(wanted)s::text[]))"
    cursor.execute(
        f"select {what} from pg_temp.release_change where record_kind = %(kind)s and new_partition_key = any(%(days)s)",
        parameters,
    )
    found = [value for (value,) in cursor.fetchall()]
    copy_built(
        cursor,
        f"select {', '.join(f'fact.{name}' for name in names)} from {kind.silver} as fact where {is_wanted}",
        {} if is_first else {"wanted": found},
        "pg_temp.silver_row",
        names,
    )
    return int(found[0]) if is_first else len(found)


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
