"""Released rows and the pointers to them. Every function works in the caller's transaction.

A row of a ticket is kept once per content: from the release that first had it up to the one that replaced it. What a
partition shows is decided by its pointer alone, so a release writes what changed, and a step back writes no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from loader.errors import CheckFailedError, RefusedError
from loader.release.gate import Link, broken_links
from loader.release.retention import Version
from loader.warehouse.built import built

_OWN_COLUMNS = ("first_release_id", "end_release_id", "row_digest")

_COLUMNS = """
select attname, format_type(atttypid, atttypmod) from pg_attribute
where attrelid = 'release.ticket_row'::regclass and attnum > 0 and not attisdropped and attname <> all(%s)
order by attnum
"""

# Of an acceptance that is about rejects; its measure is the asset.
TOO_MANY_REJECTS = "too_many_rejects"
REJECTING = (
    "unnest(%(asset_ids)s::integer[], %(ruleset_ids)s::integer[], %(source_ids)s::text[], %(record_counts)s::bigint[],"
    " %(rejected_counts)s::bigint[]) as asset (asset_id, ruleset_id, source_id, record_line_count, rejected_count)"
)

# Each partition of `days` to the version that `targets` names beside it.
_MOVE_POINTERS = """
with
wanted as (
    select partition_key, target from unnest(%(days)s::date[], %(targets)s::bigint[]) as wanted (partition_key, target)
),
noted as (
    insert into release.pointer_move (moved_by, partition_key, old_data_release_id, new_data_release_id)
    select %(release)s, wanted.partition_key, coalesce(pointer.data_release_id, 0), wanted.target
    from wanted
    left join release.partition_pointer as pointer using (partition_key)
    where pointer.data_release_id is distinct from wanted.target
    returning partition_key, new_data_release_id
)
insert into release.partition_pointer (partition_key, data_release_id, moved_by)
select partition_key, new_data_release_id, %(release)s from noted
on conflict (partition_key) do update set data_release_id = excluded.data_release_id, moved_by = excluded.moved_by
"""

# Versions whose rows are not those that were released: rows that went or came, or, by the digest of what they hold now,
# were edited.
_UNLIKE = """
select version.partition_key, version.data_release_id,
    version.ticket_count, version.ticket_digest, count(row.ticket_id), coalesce(sum({digest}), 0)
from release.partition_version as version
left join release.ticket_row as row
    on row.partition_key = version.partition_key and row.first_release_id <= version.data_release_id
    and (row.end_release_id is null or row.end_release_id > version.data_release_id)
where version.expired_by is null
    and (%(days)s::date[] is null or version.partition_key = any(%(days)s))
group by version.partition_key, version.data_release_id
having (version.ticket_count, version.ticket_digest) <> (count(row.ticket_id), coalesce(sum({digest}), 0))
order by 1, 2
"""

# Rows that no version shows any more, once the versions of `gone_days` and `gone_versions`, side by side, are gone.
_UNSHOWN = """
from release.ticket_row as row
where row.partition_key = any(%(gone_days)s::date[]) and row.end_release_id is not null
    and not exists (
        select from release.partition_version as version
        where version.partition_key = row.partition_key and version.expired_by is null
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
from release.ticket_row as row
inner join release.partition_pointer as pointer using (partition_key)
inner join unnest(%(days)s::date[], %(known)s::bigint[]) as known (partition_key, version) using (partition_key)
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
        "select distinct link.old_partition_key, link.new_partition_key from release.partition_link as link"
        " left join release.partition_pointer as old on old.partition_key = link.old_partition_key"
        " left join release.partition_pointer as new on new.partition_key = link.new_partition_key"
        " where link.data_release_id > least(coalesce(old.data_release_id, 0), coalesce(new.data_release_id, 0))"
    )
    return set(cursor.fetchall())


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


def accept_drift(cursor: Any, days: Sequence[date], act: Act) -> list[int]:
    """Let the drift that is known of these partitions pass, whatever runs; accepted before, it keeps that reason.
    Returns the numbers of the acceptances (release.acceptance)."""
    with built(cursor) as there:
        there.execute(
            "select distinct partition_key::date, check_name::text, measure::text from reconcile.drift_finding"
            " where partition_key = any(%s)",
            (list(days),),
        )
        found = there.fetchall()
    cursor.execute(
        "insert into release.acceptance (partition_key, check_name, measure, operator, reason, trace_id)"
        " select partition_key, check_name, measure, %s, %s, %s"
        " from unnest(%s::date[], %s::text[], %s::text[]) as drift (partition_key, check_name, measure)"
        " on conflict do nothing returning acceptance_id",
        (act.operator, act.reason, act.trace_id, *_side_by_side(found, 3)),
    )
    return [number for (number,) in cursor.fetchall()]


def accept_rejects(cursor: Any, days: Sequence[date], act: Act) -> list[int]:
    """Let the rejects pass of every file with lines of these partitions, however many they are, and whatever runs; the
    file's other partitions are not meant. Returns the numbers of the acceptances (release.acceptance)."""
    cursor.execute(
        "insert into release.acceptance (partition_key, check_name, measure, operator, reason, trace_id)"
        " select distinct part.partition_key, %(check)s, 'asset ' || part.asset_id,"
        "  %(operator)s, %(reason)s, %(trace)s"
        " from ops.asset_partition as part"
        f" inner join {REJECTING} on asset.asset_id = part.asset_id and asset.ruleset_id = part.ruleset_id"
        " where part.partition_key = any(%(days)s)"
        " on conflict do nothing returning acceptance_id",
        {
            "check": TOO_MANY_REJECTS,
            "operator": act.operator,
            "reason": act.reason,
            "trace": act.trace_id,
            "days": list(days),
            **rejecting_assets(cursor),
        },
    )
    return [number for (number,) in cursor.fetchall()]


def rejecting_assets(cursor: Any) -> dict[str, list[Any]]:
    """Assets of which lines are rejected, as the last reconcile counted them: the parameters of REJECTING."""
    names = ("asset_ids", "ruleset_ids", "source_ids", "record_counts", "rejected_counts")
    with built(cursor) as there:
        there.execute(
            "select asset_id::integer, ruleset_id::integer, source_id::text, record_line_count::bigint,"
            " rejected_count::bigint from reconcile.reconcile_asset where rejected_count > 0"
        )
        return dict(zip(names, _side_by_side(there.fetchall(), len(names)), strict=True))


def _side_by_side(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """A list per column, for unnest."""
    return [[row[place] for row in rows] for place in range(width)]


def note_gate(cursor: Any, obstacles: Mapping[date, Sequence[str]], pending: set[date]) -> None:
    """What the gate says of each partition now. Of one that is not named nothing is left to say: it has gone, but for
    what readers see of it."""
    unnamed = {"named": list(obstacles)}
    cursor.execute(
        "delete from release.partition_gate where not partition_key = any(%(named)s)"
        " and not partition_key in (select partition_key from release.partition_pointer)",
        unnamed,
    )
    cursor.execute(
        "update release.partition_gate set is_pending = false, obstacles = '{}', judged_at = clock_timestamp()"
        " where not partition_key = any(%(named)s) and (is_pending or obstacles <> '{}')",
        unnamed,
    )
    cursor.executemany(
        "insert into release.partition_gate as gate (partition_key, is_pending, obstacles) values (%s, %s, %s)"
        " on conflict (partition_key) do update set is_pending = excluded.is_pending, obstacles = excluded.obstacles,"
        " judged_at = excluded.judged_at"
        " where (gate.is_pending, gate.obstacles) is distinct from (excluded.is_pending, excluded.obstacles)",
        [(day, day in pending, list(reasons)) for day, reasons in obstacles.items()],
    )


def move_pointers(cursor: Any, release: int, targets: Mapping[date, int]) -> None:
    """Let each partition show the version beside it; 0: nothing. Raises CheckFailedError as release_changes."""
    cursor.execute(_MOVE_POINTERS, {"release": release, "days": list(targets), "targets": list(targets.values())})
    broken = broken_links(all_links(cursor), pointers(cursor))
    if broken:
        raise CheckFailedError(
            f"tickets moved between {broken[0][0]} and {broken[0][1]}: readers would see them twice or not at all;"
            " nothing was released",
            next_command="make status",
        )


def pointers(cursor: Any) -> dict[date, int]:
    """Which version each partition shows; 0: none."""
    cursor.execute("select partition_key, data_release_id from release.partition_pointer")
    return dict(cursor.fetchall())


def newest_versions(cursor: Any) -> dict[date, int]:
    """The newest version that was released of each partition."""
    cursor.execute("select partition_key, max(data_release_id) from release.partition_version group by partition_key")
    return dict(cursor.fetchall())


def versions(cursor: Any) -> dict[date, list[int]]:
    """The versions that were released of each partition, oldest first; those that have expired included."""
    cursor.execute(
        "select partition_key, array_agg(data_release_id order by data_release_id) from release.partition_version"
        " group by partition_key"
    )
    return dict(cursor.fetchall())


def expired(cursor: Any) -> dict[Version, int]:
    """The versions that have expired: the expiry that removed each."""
    cursor.execute(
        "select partition_key, data_release_id, expired_by from release.partition_version where expired_by is not null"
    )
    return {(day, version): expiry for day, version, expiry in cursor.fetchall()}


def left_at(cursor: Any) -> dict[Version, datetime]:
    """When a pointer last left each version that one has left.

    A release is taken to be no earlier than those before it: where the clock went back, a version that readers have
    just seen is not taken for one of long ago.
    """
    cursor.execute(
        "select move.partition_key, move.old_data_release_id, max(release.released_at)"
        " from release.pointer_move as move"
        " inner join ("
        "  select data_release_id, max(released_at) over (order by data_release_id) as released_at"
        "  from release.data_release"
        " ) as release on release.data_release_id = move.moved_by"
        " where move.old_data_release_id > 0 group by move.partition_key, move.old_data_release_id"
    )
    return {(day, version): instant for day, version, instant in cursor.fetchall()}


def unshown_count(cursor: Any, versions: Sequence[Version]) -> int:
    """Rows that no version shows once these are gone."""
    cursor.execute(f"select count(*) {_UNSHOWN}", _gone(versions))
    return int(cursor.fetchone()[0])


def expire(cursor: Any, versions: Sequence[Version], expiry: int) -> None:
    """Mark versions as gone with an expiry, and delete the rows that no other shows. Readers are not locked out."""
    gone = _gone(versions)
    cursor.execute(f"delete {_UNSHOWN}", gone)
    cursor.execute(
        "update release.partition_version as version set expired_by = %(expiry)s"
        " from unnest(%(gone_days)s::date[], %(gone_versions)s::bigint[]) as gone (gone_day, gone_version)"
        " where version.partition_key = gone.gone_day and version.data_release_id = gone.gone_version",
        {**gone, "expiry": expiry},
    )


def _gone(versions: Sequence[Version]) -> dict[str, Any]:
    return {"gone_days": [day for day, _ in versions], "gone_versions": [version for _, version in versions]}


def shown_after(cursor: Any, release: int) -> dict[date, int]:
    """Which version each partition showed when a release had moved its pointers, restores included."""
    cursor.execute(
        "select distinct on (partition_key) partition_key, new_data_release_id from release.pointer_move"
        " where moved_by <= %s order by partition_key, moved_by desc",
        (release,),
    )
    return dict(cursor.fetchall())


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
            next_command=f"loader plan restore <the same days> --release {last} --reason '<why>'"
            f"   # or {first_after - 1}, or between",
        )
    return int(last)


def all_links(cursor: Any) -> list[tuple[int, date, date]]:
    """Every link: the release that moved tickets, and the partitions that they moved between."""
    cursor.execute("select data_release_id, old_partition_key, new_partition_key from release.partition_link")
    return list(cursor.fetchall())


def shown(
    cursor: Any, days: Sequence[date], known: Mapping[date, int] = MappingProxyType({})
) -> dict[date, tuple[int, int]]:
    """Rows that readers see of each partition, and the digest of what they hold now; of rows that its version in
    `known` shows too, the digest that is stored with them."""
    names = {"days": list(days), "known": [known.get(day, 0) for day in days]}
    cursor.execute(_SHOWN.format(digest=row_digest(cursor, "row")), names)
    seen = {day: (count, int(digest)) for day, count, digest in cursor.fetchall()}
    return {day: seen.get(day, (0, 0)) for day in days}


def unlike(
    cursor: Any, days: Sequence[date] | None = None, *, is_content_read: bool = False
) -> list[tuple[date, int, tuple[int, int], tuple[int, int]]]:
    """Versions, of these partitions or of all, that cannot be shown as they were released: partition, version, its
    rows and their digest as recorded, and as they are. Expired ones are not asked.

    The digests are those that are stored with the rows; with `is_content_read`, those of what the rows hold now.
    """
    digest = row_digest(cursor, "row") if is_content_read else "row.row_digest"
    cursor.execute(_UNLIKE.format(digest=digest), {"days": None if days is None else list(days)})
    return [
        (day, version, (count, int(digest)), (held, int(held_digest)))
        for day, version, count, digest, held, held_digest in cursor.fetchall()
    ]


def edited_rows(cursor: Any) -> dict[date, int]:
    """Rows of each partition, of any version, whose content is not that of their digest; every row is read."""
    digest = row_digest(cursor, "fact")
    cursor.execute(
        f"select partition_key, count(*) from release.ticket_row as fact where row_digest <> {digest}"
        " group by partition_key"
    )
    return dict(cursor.fetchall())


def recorded(cursor: Any, targets: Mapping[date, int]) -> dict[date, tuple[int, int]]:
    """Rows and digest of each partition's version, as its release recorded them; none for 0."""
    cursor.execute(
        "select partition_key, ticket_count, ticket_digest from release.partition_version"
        " inner join unnest(%s::date[], %s::bigint[]) as wanted (partition_key, data_release_id)"
        " using (partition_key, data_release_id)",
        (list(targets), list(targets.values())),
    )
    found = {day: (count, int(digest)) for day, count, digest in cursor.fetchall()}
    return {day: found.get(day, (0, 0)) for day in targets}


def recorded_versions(cursor: Any, versions: Sequence[Version]) -> dict[Version, tuple[int, int]]:
    """Rows and digest of versions, as their releases recorded them."""
    cursor.execute(
        "select partition_key, data_release_id, ticket_count, ticket_digest from release.partition_version"
        " inner join unnest(%(gone_days)s::date[], %(gone_versions)s::bigint[])"
        " as wanted (partition_key, data_release_id) using (partition_key, data_release_id)",
        _gone(versions),
    )
    return {(day, version): (count, int(digest)) for day, version, count, digest in cursor.fetchall()}


def row_columns(cursor: Any) -> list[tuple[str, str]]:
    """Name and type of the columns that readers see."""
    cursor.execute(_COLUMNS, (list(_OWN_COLUMNS),))
    return [(name, kind) for name, kind in cursor.fetchall()]


def row_digest(cursor: Any, alias: str) -> str:
    """SQL of a row's digest: of its text, in which instants and days follow no setting of the session."""
    values = {
        "timestamp with time zone": "ops.instant_text({})",
        "date": "({} - date '2000-01-01')",
    }
    row = ", ".join(values.get(kind, "{}").format(f"{alias}.{name}") for name, kind in row_columns(cursor))
    return f"ops.digest64(row({row})::text)"
