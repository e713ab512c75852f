"""What changed in Silver since it was released, and its way into what readers see. In the caller's transaction.

A ticket that changes waits (release.pending_ticket) until the partitions on both of its sides are released.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from loader.errors import CheckFailedError
from loader.release.gate import Link
from loader.release.store import move_pointers, row_columns, row_digest, unseen_links
from loader.warehouse.built import copy_built, freeze_built

EVERYTHING = "*"

# Tickets that are waiting and of which Silver has another row than was released last, or none: read as omni_transform.
# A digest costs more than all the rest: without a row to compare with, it is taken of what is kept, and only then.
_COMPARE = """
with
silver as (
    select
        fact.ticket_id,
        fact.partition_key,
        case
            when exists (
                select from release.ticket_row as held
                where held.ticket_id = fact.ticket_id and held.end_release_id is null
            ) then {digest}
        end as row_digest
    from silver.ticket_fact as fact
    where {is_waiting}
),
newest as (
    select fact.ticket_id, fact.partition_key, fact.row_digest
    from release.ticket_row as fact
    where fact.end_release_id is null and {is_waiting}
)
select coalesce(silver.ticket_id, newest.ticket_id) as ticket_id, silver.partition_key, silver.row_digest
from silver
full join newest on silver.ticket_id = newest.ticket_id
where (silver.partition_key, silver.row_digest) is distinct from (newest.partition_key, newest.row_digest)
"""

_MAKE_SILVER_SIDE = """
create temporary table silver_side (ticket_id text primary key, partition_key date, row_digest numeric) on commit drop
"""

# Beside the newest row that was released of each. A ticket is in one partition on either side.
_FIND_CHANGES = """
analyze pg_temp.silver_side;
create temporary table release_change on commit drop as
select
    silver.ticket_id,
    newest.partition_key as old_partition_key,
    newest.row_digest as old_digest,
    silver.partition_key as new_partition_key,
    silver.row_digest as new_digest
from pg_temp.silver_side as silver
left join release.ticket_row as newest on newest.ticket_id = silver.ticket_id and newest.end_release_id is null
where (silver.partition_key, silver.row_digest) is distinct from (newest.partition_key, newest.row_digest);
analyze pg_temp.release_change;
"""

_MAKE_ROWS = """
create temporary table silver_row on commit drop as select {columns} from release.ticket_row with no data
"""

_CLOSE_ROWS = """
update release.ticket_row as held
set end_release_id = %(release)s
from pg_temp.release_change as change
where held.ticket_id = change.ticket_id and held.end_release_id is null
    and change.old_partition_key = any(%(days)s)
"""

# With the digest of what is kept, which has to be the one that was compared.
_ADD_ROWS = """
insert into release.ticket_row (first_release_id, row_digest, {columns})
select %(release)s, fact.row_digest, {fact_columns}
from (select fact.*, {digest} as row_digest from pg_temp.silver_row as fact offset 0) as fact
inner join pg_temp.release_change as change
    on change.ticket_id = fact.ticket_id and change.new_partition_key = fact.partition_key
    and fact.row_digest = coalesce(change.new_digest, fact.row_digest)
where change.new_partition_key = any(%(days)s)
"""

_NOTE_DIGESTS = """
update pg_temp.release_change as change
set new_digest = held.row_digest
from release.ticket_row as held
where change.new_digest is null and held.ticket_id = change.ticket_id and held.first_release_id = %(release)s
"""

# A partition's version: the one before, without the rows that left, with those that came.
_ADD_VERSIONS = """
insert into release.partition_version (partition_key, data_release_id, ticket_count, ticket_digest)
select
    wanted.partition_key,
    %(release)s,
    coalesce(latest.ticket_count, 0) + coalesce(change.ticket_count, 0),
    coalesce(latest.ticket_digest, 0) + coalesce(change.ticket_digest, 0)
from unnest(%(days)s) as wanted (partition_key)
left join (
    select partition_key, sum(ticket_count) as ticket_count, sum(ticket_digest) as ticket_digest
    from (
        select new_partition_key as partition_key, 1 as ticket_count, new_digest as ticket_digest
        from pg_temp.release_change
        union all
        select old_partition_key, -1, -old_digest from pg_temp.release_change
    ) as sides
    where partition_key is not null
    group by partition_key
) as change using (partition_key)
left join (
    select distinct on (partition_key) partition_key, ticket_count, ticket_digest
    from release.partition_version order by partition_key, data_release_id desc
) as latest using (partition_key)
where change.partition_key is not null or latest.partition_key is null
"""

_ADD_LINKS = """
insert into release.partition_link as link (data_release_id, old_partition_key, new_partition_key, ticket_count)
select data_release_id, old_partition_key, new_partition_key, count(*)
from (
    select %(release)s::bigint as data_release_id, old_partition_key, new_partition_key
    from pg_temp.release_change
    where old_partition_key <> new_partition_key and old_partition_key = any(%(days)s)
    union all
    select data_release_id, old_partition_key, new_partition_key
    from ({returned}) as returned
    where old_partition_key <> new_partition_key and new_partition_key = any(%(days)s)
) as moved
group by data_release_id, old_partition_key, new_partition_key
on conflict (data_release_id, old_partition_key, new_partition_key)
do update set ticket_count = link.ticket_count + excluded.ticket_count
"""

# Tickets that had left Silver, and come back in another partition: the release that showed them no more, and where they
# were. An earlier version of that partition shows them still.
_RETURNED = """
select distinct on (change.ticket_id)
    gone.end_release_id as data_release_id,
    gone.partition_key as old_partition_key,
    change.new_partition_key
from pg_temp.release_change as change
inner join release.ticket_row as gone on gone.ticket_id = change.ticket_id
where change.old_partition_key is null and gone.end_release_id is not null
order by change.ticket_id asc, gone.end_release_id desc
"""

# Those whose old partition shows the state before they left.
_STILL_SHOWN = f"""
select distinct returned.old_partition_key, returned.new_partition_key
from ({_RETURNED}) as returned
inner join release.partition_pointer as pointer on pointer.partition_key = returned.old_partition_key
where returned.old_partition_key <> returned.new_partition_key
    and pointer.data_release_id < returned.data_release_id
"""


def await_everything(cursor: Any) -> None:
    """Any ticket may differ from what is released."""
    cursor.execute("insert into release.pending_ticket (ticket_id) values (%s) on conflict do nothing", (EVERYTHING,))


def find_changes(cursor: Any) -> tuple[set[date], set[Link]]:
    """Compare what waits with what was released last; the differences stay in release_change until the transaction
    ends. Returns the partitions that would change, and between which of them tickets move or have moved unseen."""
    # Before the first release nothing has waited for one.
    cursor.execute(
        "select exists (select from release.pending_ticket where ticket_id = %s)"
        " or not exists (select from release.data_release)",
        (EVERYTHING,),
    )
    (everything,) = cursor.fetchone()
    # Two texts: with a condition that is a constant the planner would read both tables whole for one ticket.
    is_waiting = "true" if everything else "fact.ticket_id in (select unnest(%(waiting)s::text[]))"
    # Those of this transaction among them.
    cursor.execute("select ticket_id from release.pending_ticket where not %s", (everything,))
    waiting = [ticket_id for (ticket_id,) in cursor.fetchall()]
    freeze_built(cursor, "silver.ticket_fact")
    cursor.execute(_MAKE_SILVER_SIDE)
    copy_built(
        cursor,
        _COMPARE.format(digest=row_digest(cursor, "fact"), is_waiting=is_waiting),
        {"waiting": waiting},
        "pg_temp.silver_side",
        ("ticket_id", "partition_key", "row_digest"),
    )
    cursor.execute(_FIND_CHANGES)
    cursor.execute(
        "select old_partition_key, new_partition_key from pg_temp.release_change"
        " group by old_partition_key, new_partition_key"
    )
    sides = cursor.fetchall()
    days = {day for pair in sides for day in pair if day is not None}
    links = {(old, new) for old, new in sides if old is not None and new is not None and old != new}
    cursor.execute(_STILL_SHOWN)
    return days, links | set(cursor.fetchall()) | unseen_links(cursor)


def changed_since_proof(cursor: Any) -> set[date | None]:
    """After find_changes: partitions of rows that Silver was given, or lost, after it was proved; None: of any. Also
    where a row that was never released is gone again, which no comparison with what is released can tell."""
    cursor.execute(
        "with unproved as ("
        "  select row_key, partition_key from ops.unproved_change where table_name = 'silver.ticket_fact')"
        " select partition_key from unproved"
        " union"
        " select side.partition_key from pg_temp.release_change as change"
        " cross join lateral (values (change.old_partition_key), (change.new_partition_key)) as side (partition_key)"
        " where side.partition_key is not null and change.ticket_id in (select row_key from unproved)"
    )
    return {day for (day,) in cursor.fetchall()}


def release_changes(cursor: Any, release: int, days: Sequence[date]) -> None:
    """After find_changes: keep what changed in `days`, and let each of them show its newest version.

    `days` holds both sides of every link, or neither. Raises CheckFailedError, and the transaction must not commit,
    where readers would see a ticket twice or not at all.
    """
    parameters = {"release": release, "days": list(days)}
    cursor.execute(_CLOSE_ROWS, parameters)
    _add_rows(cursor, parameters)
    cursor.execute(_ADD_VERSIONS, parameters)
    cursor.execute(_ADD_LINKS.format(returned=_RETURNED), parameters)
    cursor.execute(
        "select partition_key, max(data_release_id) from release.partition_version where partition_key = any(%s)"
        " group by partition_key",
        (list(days),),
    )
    move_pointers(cursor, release, dict(cursor.fetchall()))


def _add_rows(cursor: Any, parameters: Mapping[str, Any]) -> None:
    """Take the rows of Silver over as values of the types that they are kept in."""
    names = [name for name, _ in row_columns(cursor)]
    columns, fact_columns = ", ".join(names), ", ".join(f"fact.{name}" for name in names)
    cursor.execute("select ticket_id from pg_temp.release_change where new_partition_key = any(%(days)s)", parameters)
    wanted = [ticket_id for (ticket_id,) in cursor.fetchall()]
    cursor.execute(_MAKE_ROWS.format(columns=columns))
    copy_built(
        cursor,
        f"select {fact_columns} from silver.ticket_fact as fact"
        " where fact.ticket_id in (select unnest(%(wanted)s::text[]))",
        {"wanted": wanted},
        "pg_temp.silver_row",
        names,
    )
    digest = row_digest(cursor, "fact")
    cursor.execute(_ADD_ROWS.format(columns=columns, fact_columns=fact_columns, digest=digest), parameters)
    if cursor.rowcount != len(wanted):
        raise CheckFailedError(
            f"silver.ticket_fact: got {cursor.rowcount} of {len(wanted)} rows as they were compared, expected all: its"
            " columns are not of the types that are released; nothing was released",
            next_command="make build   # makes it anew",
        )
    cursor.execute(_NOTE_DIGESTS, parameters)


def keep_waiting(cursor: Any, released: Sequence[date]) -> None:
    """After find_changes: of what waits, keep the tickets that differ and are not of the partitions released."""
    cursor.execute(
        "delete from release.pending_ticket as waiting where waiting.ticket_id = %s or not exists ("
        "  select from pg_temp.release_change as change where change.ticket_id = waiting.ticket_id"
        "  and not coalesce(change.new_partition_key, change.old_partition_key) = any(%s))",
        (EVERYTHING, list(released)),
    )
    cursor.execute(
        "insert into release.pending_ticket (ticket_id) select ticket_id from pg_temp.release_change"
        " where not coalesce(new_partition_key, old_partition_key) = any(%s) on conflict do nothing",
        (list(released),),
    )
