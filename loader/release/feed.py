"""What changed for readers, record by record (release.change): written by whatever moves pointers and by erasures, in
the caller's transaction.

Numbers have no gap, and grow in the order of commits: who writes holds a lock to the end of its transaction that keeps
other writers out, and readers not. So nobody who has read up to a number ever finds a smaller one later.
"""

from __future__ import annotations

from typing import Any

from loader.warehouse import ReleasedKind, released_kinds

TABLE = "release.change"

# No reader waits for it, nor it for a reader.
_LOCK = "lock table release.change in share row exclusive mode"

NEWEST = "select coalesce(max(change_number), 0) from release.change"

# Rows that one of the two versions shows between which a release moved a partition, and the other does not: those that
# begin after the lower one, and those that end before the higher one. One row for each record whose row is another.
_WRITE_MOVED = f"""
with
moved as (
    select
        partition_key,
        least(old_data_release_id, new_data_release_id) as low,
        greatest(old_data_release_id, new_data_release_id) as high,
        new_data_release_id > old_data_release_id as is_forward
    from release.pointer_move
    where moved_by = %(release)s and record_kind = %(kind)s
),
side as (
    select row.{{key}} as record_key, row.row_digest, moved.is_forward as is_new
    from moved
    inner join {{rows}} as row
        on row.partition_key = moved.partition_key
        and row.first_release_id > moved.low and row.first_release_id <= moved.high
    where row.end_release_id is null or row.end_release_id > moved.high
    union all
    select row.{{key}}, row.row_digest, not moved.is_forward
    from moved
    inner join {{rows}} as row
        on row.partition_key = moved.partition_key
        and row.end_release_id > moved.low and row.end_release_id <= moved.high
    where row.first_release_id <= moved.low
),
changed as (
    select
        record_key,
        max(row_digest) filter (where not is_new) as old_digest,
        max(row_digest) filter (where is_new) as new_digest
    from side
    group by record_key
)
insert into release.change (change_number, data_release_id, record_kind, record_key, operation, row_digest)
select
    ({NEWEST}) + row_number() over (order by record_key),
    %(release)s,
    %(kind)s,
    record_key,
    case when old_digest is null then 'insert' when new_digest is null then 'delete' else 'update' end,
    new_digest
from changed
where old_digest is distinct from new_digest
"""

# What the rows of the keys in `erased_key` say of content that is gone: a digest that no row of the record has, and the
# end of such a row.
_BLANK = """
with
told as (
    select
        change_number,
        record_key,
        operation,
        coalesce(
            row_digest, lag(row_digest) over (partition by record_key order by change_number)
        ) as content_digest
    from release.change
    where record_kind = %(kind)s and record_key in (select record_key from pg_temp.erased_key)
)
update release.change as change
set operation = 'erased', data_release_id = null, row_digest = null
from told
where change.change_number = told.change_number and told.operation <> 'erased'
    and not exists (
        select from {rows} as row where row.{key} = told.record_key and row.row_digest = told.content_digest
    )
returning change.record_key
"""

# Whoever has read it already learns of it. A record that readers see all the same, with what others
# said of it, follows with the row that they see.
_WRITE_ERASED = f"""
with
erased as (
    select 1 as place, record_key, 'erased' as operation, null::numeric as row_digest
    from (select distinct unnest(%(keys)s::text[]) as record_key) as blanked
    union all
    select 2, row.{{key}}, 'insert', row.row_digest
    from {{rows}} as row
    inner join release.partition_pointer as pointer
        on pointer.record_kind = %(kind)s and pointer.partition_key = row.partition_key
    where row.{{key}} = any(%(keys)s) and row.first_release_id <= pointer.data_release_id
        and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
)
insert into release.change (change_number, data_release_id, record_kind, record_key, operation, row_digest)
select
    ({NEWEST}) + row_number() over (order by place, record_key), null, %(kind)s, record_key, operation, row_digest
from erased
"""


def write_moved(cursor: Any, release: int, kinds: set[str]) -> None:
    """After the pointers of a release have moved: a row for each record of these kinds of which readers see another row
    than before it, or none any more. A row with the same content is no change."""
    cursor.execute(_LOCK)
    for kind in released_kinds(cursor):
        if kind.record_kind in kinds:
            names = {"rows": kind.rows, "key": kind.key_column}
            cursor.execute(_WRITE_MOVED.format(**names), {"release": release, "kind": kind.record_kind})


def write_erased(cursor: Any, kind: ReleasedKind) -> None:
    """After the rows of records in pg_temp.erased_key (record_key) were taken away, under the erasure's maintenance:
    what was said of them keeps kind and key, and a row says that they are gone."""
    cursor.execute(_LOCK)
    names = {"rows": kind.rows, "key": kind.key_column}
    cursor.execute(_BLANK.format(**names), {"kind": kind.record_kind})
    keys = [key for (key,) in cursor.fetchall()]
    if keys:
        cursor.execute(_WRITE_ERASED.format(**names), {"kind": kind.record_kind, "keys": keys})
