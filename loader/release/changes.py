"""What changed in Silver since it was released, and its way into what readers see. In the caller's transaction.

A record that changes waits (release.pending_record) until the partitions on both of its sides are released.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from psycopg2 import errors

from loader.errors import CheckFailedError
from loader.partition import Partition, days_of, side_by_side
from loader.release.gate import Link
from loader.release.store import PARTITIONS, move_pointers, newest_versions, unseen_links
from loader.warehouse import ReleasedKind, are_built, copy_built, freeze_built, released_kinds

EVERYTHING = "*"

# Records of a kind that are waiting and of which Silver has another row than was released last, or none: read as
# omni_transform. A digest costs more than all the rest: without a row to compare with, it is taken of what is kept, and
# only then.
_COMPARE = """
with
silver as (
    select
        fact.{key} as record_key,
        fact.partition_key,
        case
            when exists (
                select from {rows} as held
                where held.{key} = fact.{key} and held.end_release_id is null
            ) then {digest}
        end as row_digest
    from {silver} as fact
    where {is_waiting}
),
newest as (
    select fact.{key} as record_key, fact.partition_key, fact.row_digest
    from {rows} as fact
    where fact.end_release_id is null and {is_waiting}
)
select coalesce(silver.record_key, newest.record_key) as record_key, silver.partition_key, silver.row_digest
from silver
full join newest on silver.record_key = newest.record_key
where (silver.partition_key, silver.row_digest) is distinct from (newest.partition_key, newest.row_digest)
"""

_MAKE_CHANGES = """
create temporary table release_change (
    record_kind text,
    record_key text,
    old_partition_key date,
    old_digest numeric,
    new_partition_key date,
    new_digest numeric
) on commit drop
"""

_MAKE_SILVER_SIDE = """
create temporary table silver_side (record_key text, partition_key date, row_digest numeric) on commit drop
"""

_KEY_SILVER_SIDE = "alter table pg_temp.silver_side add primary key (record_key)"
# One row of each record: reconcile finds the others, and holds their days.
_LEAVE_OUT_DOUBLES = """
delete from pg_temp.silver_side as one
using pg_temp.silver_side as other
where one.record_key = other.record_key and one.ctid > other.ctid
"""

# Compared with the newest released row of each record. A record is in one partition on either side.
_FIND_CHANGES = """
analyze pg_temp.silver_side;
insert into pg_temp.release_change
select
    %(kind)s,
    silver.record_key,
    newest.partition_key as old_partition_key,
    newest.row_digest as old_digest,
    silver.partition_key as new_partition_key,
    silver.row_digest as new_digest
from pg_temp.silver_side as silver
left join {rows} as newest on newest.{key} = silver.record_key and newest.end_release_id is null
where (silver.partition_key, silver.row_digest) is distinct from (newest.partition_key, newest.row_digest);
drop table pg_temp.silver_side
"""

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

# With the digest of what is kept, which has to be the one that was compared.
_ADD_ROWS = """
insert into {rows} (first_release_id, row_digest, {columns})
select %(release)s, fact.row_digest, {fact_columns}
from (select fact.*, {digest} as row_digest from pg_temp.silver_row as fact offset 0) as fact
inner join pg_temp.release_change as change
    on change.record_kind = %(kind)s and change.record_key = fact.{key}
    and change.new_partition_key = fact.partition_key
    and fact.row_digest = coalesce(change.new_digest, fact.row_digest)
where change.new_partition_key = any(%(days)s)
"""

_NOTE_DIGESTS = """
update pg_temp.release_change as change
set new_digest = held.row_digest
from {rows} as held
where change.record_kind = %(kind)s and change.new_digest is null
    and held.{key} = change.record_key and held.first_release_id = %(release)s
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
        select new_partition_key as partition_key, 1 as record_count, new_digest as record_digest
        from pg_temp.release_change
        where record_kind = %(kind)s
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
_RETURNED = """
select distinct on (change.record_key)
    gone.end_release_id as data_release_id,
    gone.partition_key as old_partition_key,
    change.new_partition_key
from pg_temp.release_change as change
inner join {rows} as gone on gone.{key} = change.record_key
where change.record_kind = %(kind)s and change.old_partition_key is null and gone.end_release_id is not null
order by change.record_key asc, gone.end_release_id desc
"""

# Those whose old partition shows the state before they left.
_STILL_SHOWN = """
select distinct returned.old_partition_key, returned.new_partition_key
from ({returned}) as returned
inner join release.partition_pointer as pointer
    on pointer.record_kind = %(kind)s and pointer.partition_key = returned.old_partition_key
where returned.old_partition_key <> returned.new_partition_key
    and pointer.data_release_id < returned.data_release_id
"""


def await_everything(cursor: Any) -> None:
    """Any record may differ from what is released."""
    cursor.execute(
        "insert into release.pending_record (record_kind, record_key)"
        " select record_kind, %s from release.released_kind on conflict do nothing",
        (EVERYTHING,),
    )


def find_changes(cursor: Any) -> tuple[set[Partition], set[Link]]:
    """Compare what waits with what was released last; the differences stay in release_change until the transaction
    ends. Returns the partitions that would change, and between which of them records move or have moved unseen."""
    cursor.execute(_MAKE_CHANGES)
    released = {partition.record_kind for partition in newest_versions(cursor)}
    kinds = [
        kind
        for kind in released_kinds(cursor)
        # A kind that was never built has nothing to release.
        if kind.record_kind in released or are_built(cursor, kind.silver)
    ]
    for kind in kinds:
        freeze_built(cursor, kind.silver)
        # Before the first release of a kind nothing has waited for one.
        _compare(cursor, kind, is_first=kind.record_kind not in released)
    links = unseen_links(cursor)
    cursor.execute("analyze pg_temp.release_change")
    cursor.execute(
        "select record_kind, old_partition_key, new_partition_key from pg_temp.release_change"
        " group by record_kind, old_partition_key, new_partition_key"
    )
    partitions: set[Partition] = set()
    for record_kind, *sides in cursor.fetchall():
        found = [Partition(record_kind, day) for day in sides if day is not None]
        partitions.update(found)
        if len(set(found)) == 2:
            links.add((found[0], found[1]))
    for kind in kinds:
        cursor.execute(
            _STILL_SHOWN.format(returned=_RETURNED.format(rows=kind.rows, key=kind.key_column)),
            {"kind": kind.record_kind},
        )
        links.update(
            (Partition(kind.record_kind, one), Partition(kind.record_kind, other)) for one, other in cursor.fetchall()
        )
    return partitions, links


def _compare(cursor: Any, kind: ReleasedKind, *, is_first: bool) -> None:
    cursor.execute("select record_key from release.pending_record where record_kind = %s", (kind.record_kind,))
    # Those of this transaction among them.
    waiting = [record_key for (record_key,) in cursor.fetchall()]
    is_everything = is_first or EVERYTHING in waiting
    # Two texts: with a condition that is a constant the planner would read both tables whole for one record.
    is_waiting = "true" if is_everything else f"fact.{kind.key_column} in (select unnest(%(waiting)s::text[]))"
    names = {"rows": kind.rows, "key": kind.key_column, "silver": kind.silver}
    cursor.execute(_MAKE_SILVER_SIDE)
    copy_built(
        cursor,
        _COMPARE.format(**names, digest=kind.row_digest(cursor, "fact"), is_waiting=is_waiting),
        {"waiting": [] if is_everything else waiting},
        "pg_temp.silver_side",
        ("record_key", "partition_key", "row_digest"),
    )
    cursor.execute("savepoint before_key")
    try:
        cursor.execute(_KEY_SILVER_SIDE)
    except errors.UniqueViolation:
        cursor.execute("rollback to savepoint before_key")
        cursor.execute(f"{_LEAVE_OUT_DOUBLES}; {_KEY_SILVER_SIDE}")
    cursor.execute("release savepoint before_key")
    cursor.execute(_FIND_CHANGES.format(**names), {"kind": kind.record_kind})


def changed_since_proof(cursor: Any) -> set[tuple[str, date | None]]:
    """After find_changes: kinds and days of rows that Silver was given, or lost, after it was proved; None where nobody
    says of which day. Also where a row that was never released is gone again, which no comparison with what is released
    can tell."""
    cursor.execute(
        "with unproved as ("
        "  select kind.record_kind, change.row_key, change.partition_key from ops.unproved_change as change"
        "  inner join release.released_kind as kind on change.table_name = 'silver.' || kind.table_name)"
        " select record_kind, partition_key from unproved"
        " union"
        " select change.record_kind, side.partition_key from pg_temp.release_change as change"
        " cross join lateral (values (change.old_partition_key), (change.new_partition_key)) as side (partition_key)"
        " where side.partition_key is not null"
        " and (change.record_kind, change.record_key) in (select record_kind, row_key from unproved)"
    )
    return set(cursor.fetchall())


def release_changes(cursor: Any, release: int, partitions: Sequence[Partition]) -> None:
    """After find_changes: keep what changed in `partitions`, and let each of them show its newest version.

    `partitions` holds both sides of every link, or neither. Raises CheckFailedError, and the transaction must not
    commit, where readers would see a record twice or not at all.
    """
    for kind in released_kinds(cursor):
        days = days_of(partitions, kind.record_kind)
        if not days:
            continue
        names = {"rows": kind.rows, "key": kind.key_column}
        parameters = {"release": release, "kind": kind.record_kind, "days": days}
        cursor.execute(_CLOSE_ROWS.format(**names), parameters)
        _add_rows(cursor, kind, parameters)
        cursor.execute(_ADD_VERSIONS, parameters)
        cursor.execute(_ADD_LINKS.format(returned=_RETURNED.format(**names)), parameters)
    newest = newest_versions(cursor)
    move_pointers(cursor, release, {partition: newest[partition] for partition in partitions})


def _add_rows(cursor: Any, kind: ReleasedKind, parameters: Mapping[str, Any]) -> None:
    """Take the rows of Silver over as values of the types that they are kept in."""
    names = [name for name, _ in kind.columns(cursor)]
    columns, fact_columns = ", ".join(names), ", ".join(f"fact.{name}" for name in names)
    cursor.execute(
        "select record_key from pg_temp.release_change"
        " where record_kind = %(kind)s and new_partition_key = any(%(days)s)",
        parameters,
    )
    wanted = [record_key for (record_key,) in cursor.fetchall()]
    cursor.execute(_MAKE_ROWS.format(rows=kind.rows, columns=columns))
    copy_built(
        cursor,
        f"select {fact_columns} from {kind.silver} as fact"
        f" where fact.{kind.key_column} in (select unnest(%(wanted)s::text[]))",
        {"wanted": wanted},
        "pg_temp.silver_row",
        names,
    )
    told = {"rows": kind.rows, "key": kind.key_column, "digest": kind.row_digest(cursor, "fact")}
    cursor.execute(_ADD_ROWS.format(**told, columns=columns, fact_columns=fact_columns), parameters)
    if cursor.rowcount != len(wanted):
        raise CheckFailedError(
            f"{kind.silver}: got {cursor.rowcount} of {len(wanted)} rows as they were compared, expected all: its"
            " columns are not of the types that are released; nothing was released",
            next_command="make build   # makes it anew",
        )
    cursor.execute(_NOTE_DIGESTS.format(**told), parameters)
    cursor.execute("drop table pg_temp.silver_row")


def keep_waiting(cursor: Any, released: Iterable[Partition]) -> None:
    """After find_changes: of what waits, keep the records that differ and are not of the partitions released."""
    shown = side_by_side(released)
    is_left = (
        "not (change.record_kind, coalesce(change.new_partition_key, change.old_partition_key))"
        f" in (select * from {PARTITIONS})"
    )
    cursor.execute(
        "delete from release.pending_record as waiting where waiting.record_key = %(everything)s or not exists ("
        "  select from pg_temp.release_change as change"
        "  where change.record_kind = waiting.record_kind and change.record_key = waiting.record_key"
        f"  and {is_left})",
        {"everything": EVERYTHING, **shown},
    )
    cursor.execute(
        "insert into release.pending_record (record_kind, record_key)"
        f" select record_kind, record_key from pg_temp.release_change as change where {is_left} on conflict do nothing",
        shown,
    )
