"""What changed in Silver since it was released. In the caller's transaction.

A record that changes waits (release.pending_record) until the partitions on both of its sides are released.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from psycopg2 import errors

from loader.partition import Partition, side_by_side
from loader.release.groups import Link
from loader.release.history import newest_versions
from loader.release.released_rows import RETURNED
from loader.release.releases import PARTITIONS, unseen_links
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
            _STILL_SHOWN.format(returned=RETURNED.format(rows=kind.rows, key=kind.key_column)),
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
