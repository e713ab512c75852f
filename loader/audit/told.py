"""Is what changed for readers, as it was told record by record, what they see? Reads only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from loader.audit.holdings import Fault
from loader.printable import counted
from loader.release import feed
from loader.warehouse import ReleasedKind, released_kinds

# Numbers that are missing, and those that are there twice; rows of an earlier release than one before them, or of none.
_ORDER = """
select
    coalesce(max(change_number), 0) - count(distinct change_number),
    count(*) - count(distinct change_number),
    count(*) filter (
        where data_release_id < coalesce(release_before, 0)
            or data_release_id not in (select data_release_id from release.data_release)
    )
from (
    select
        change_number,
        data_release_id,
        max(data_release_id) over (
            order by change_number rows between unbounded preceding and 1 preceding
        ) as release_before
    from release.change
) as told
"""

# Records of a kind of which the newest row does not say what readers see, and rows that cannot follow the one before
# them.
_CONTENT = """
with
told as (
    select
        record_key,
        operation,
        row_digest,
        lag(operation) over record as operation_before,
        lag(row_digest) over record as digest_before,
        lead(change_number) over record is null as is_newest
    from release.change
    where record_kind = %(kind)s
    window record as (partition by record_key order by change_number)
),
shown as (
    select row.{key} as record_key, row.row_digest
    from {rows} as row
    inner join release.partition_pointer as pointer
        on pointer.record_kind = %(kind)s and pointer.partition_key = row.partition_key
    where row.first_release_id <= pointer.data_release_id
        and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
),
followed as (
    select coalesce(newest.record_key, shown.record_key) as record_key
    from (select record_key, row_digest from told where is_newest) as newest
    full join shown on shown.record_key = newest.record_key
    where newest.row_digest is distinct from shown.row_digest
)
select
    (select count(*) from followed),
    (select min(record_key) from followed),
    count(*) filter (
        where case
            when operation = 'erased' or operation_before = 'erased' then false
            when operation = 'insert' then operation_before in ('insert', 'update')
            else coalesce(operation_before, 'delete') = 'delete' or row_digest is not distinct from digest_before
        end
    )
from told
"""

# Rows with a digest that no row of the record has. Where versions have expired, so may rows have that were told of.
_UNKNOWN = """
select count(*)
from release.change as told
where told.record_kind = %(kind)s and told.row_digest is not null
    and not exists (
        select from {rows} as row where row.{key} = told.record_key and row.row_digest = told.row_digest
    )
    and not exists (
        select from release.partition_version where record_kind = %(kind)s and expired_by is not null
    )
"""


def faults_of_told(cursor: Any) -> Iterator[Fault]:
    """What is wrong with release.change: a row that is gone, doubled, edited or invented. Reads all of it, and the
    digests of all released rows."""
    cursor.execute(_ORDER)
    missing, doubled, misplaced = cursor.fetchone()
    for count, words in (
        (missing, f"{counted(missing, 'number')} missing"),
        (doubled, f"{counted(doubled, 'number')} there twice"),
        (misplaced, f"{counted(misplaced, 'row')} out of the order of releases, or of none"),
    ):
        if count:
            yield Fault(feed.TABLE, words)
    for kind in released_kinds(cursor):
        for fault in _faults_of_kind(cursor, kind):
            yield Fault(f"{feed.TABLE} {kind.record_kind}", fault)


def _faults_of_kind(cursor: Any, kind: ReleasedKind) -> Iterator[str]:
    names = {"rows": kind.rows, "key": kind.key_column}
    cursor.execute(_CONTENT.format(**names), {"kind": kind.record_kind})
    unlike, example, misplaced = cursor.fetchone()
    if unlike:
        yield f"followed to its end, it says of {counted(unlike, 'record')} what readers do not see, e.g. {example}"
    if misplaced:
        yield f"{counted(misplaced, 'row')} that cannot follow the one before of the same record"
    cursor.execute(_UNKNOWN.format(**names), {"kind": kind.record_kind})
    (unknown,) = cursor.fetchone()
    if unknown:
        yield f"{counted(unknown, 'row')} with a digest that no released row of the record has"
