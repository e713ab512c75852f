"""From the winning version to the reader: Silver's row, what was released of it, and what is seen through the view."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Any

from loader.kinds import Landing
from loader.partition import Partition
from loader.release import digests, history
from loader.trace.model import Link, LinkName, Showing, Version
from loader.warehouse import ReleasedKind, are_built, built, fetch_rows

_RELEASED = """
select row.event_id::text, row.partition_key, row.first_release_id, row.end_release_id, {digest} as content_digest,
    row.row_digest
from {rows} as row where row.{key} = %(key)s order by row.first_release_id, row.partition_key
"""
_SEEN = """
select row.event_id::text, row.partition_key, {digest} as content_digest from {served} as row where row.{key} = %(key)s
"""
_POINTERS = """
select partition_key, data_release_id, moved_by from release.partition_pointer
where record_kind = %(kind)s and partition_key = any(%(days)s)
"""
_MOVES = """
select move.partition_key, move.moved_by, move.old_data_release_id, move.new_data_release_id, release.released_at
from release.pointer_move as move
left join release.data_release as release on release.data_release_id = move.moved_by
where move.record_kind = %(kind)s and move.partition_key = any(%(days)s)
order by move.partition_key, move.moved_by
"""
_HELD = """
select partition_key from release.partition_hold
where record_kind = %(kind)s and partition_key = any(%(days)s) order by partition_key
"""
_PENDING = """
select exists (
    select from release.pending_record where record_kind = %(kind)s and record_key = any(array[%(key)s, '*'])
) or exists (select from ops.unproved_change where table_name = %(silver)s and row_key = any(array[%(key)s, '*']))
"""
# A field of the record as Silver types it; an instant is cut to the microsecond, where a cast alone would round.
_TYPED = {
    "text": "{value}",
    "boolean": "({value})::boolean",
    "number": "({value})::numeric",
    "date": "({value})::date",
    "json": "{field}",
    "instant": r"regexp_replace({value}, '(\.[0-9]{{6}})[0-9]+', '\1')::timestamptz",
}


@dataclass(frozen=True, slots=True)
class Released:
    """A row as it was released: shown from one release up to another."""

    event_id: str
    partition_key: date
    first_release_id: int
    end_release_id: int | None
    content_digest: int
    row_digest: int

    def is_of(self, release: int) -> bool:
        return self.first_release_id <= release and (self.end_release_id is None or self.end_release_id > release)


@dataclass(frozen=True, slots=True)
class Sight:
    """`shown`: when readers saw each event; `acts`: the releases whose records tell of what they see now."""

    links: tuple[Link, ...]
    shown: Mapping[str, tuple[Showing, ...]]
    acts: tuple[int, ...]
    held_days: tuple[date, ...]


def read_sight(
    cursor: Any, kind: ReleasedKind, landing: Landing, key: str, versions: Sequence[Version], *, is_quick: bool
) -> Sight:
    """`versions`: as ranked."""
    digest = kind.row_digest(cursor, "row")
    names = {"rows": kind.rows, "key": kind.key_column, "digest": digest, "served": kind.served}
    released = [Released(**row) for row in fetch_rows(cursor, _RELEASED.format(**names), {"key": key})]
    days = sorted({row.partition_key for row in released} | {each.partition_key for each in versions})
    asked = {"kind": kind.record_kind, "days": days, "key": key, "silver": kind.silver}
    pointers = {row["partition_key"]: row for row in fetch_rows(cursor, _POINTERS, asked)}
    moves = fetch_rows(cursor, _MOVES, asked)
    links = [_silver_link(cursor, kind, _silver_query(kind, landing, digest), asked, (versions, released))]
    links += [
        Link(
            LinkName.RELEASED,
            f"{kind.rows} of release {row.first_release_id}",
            None if row.content_digest == row.row_digest else "its content is not that of its digest",
        )
        for row in released
    ]
    links += _pointer_links(kind, pointers, moves)
    expected = [row for row in released if (at := pointers.get(row.partition_key)) and row.is_of(at["data_release_id"])]
    if pointers:
        links.append(_served_link(cursor, kind, _SEEN.format(**names), key, expected))
        links += _day_links(cursor, kind, pointers, expected, is_quick=is_quick)
    held = tuple(row["partition_key"] for row in fetch_rows(cursor, _HELD, asked))
    acts = {row.first_release_id for row in expected} | {pointers[row.partition_key]["moved_by"] for row in expected}
    return Sight(tuple(links), _showings(released, moves), tuple(sorted(acts)), held)


def _silver_link(
    cursor: Any,
    kind: ReleasedKind,
    query: str,
    asked: Mapping[str, Any],
    known: tuple[Sequence[Version], Sequence[Released]],
) -> Link:
    """Silver's row beside the version that wins; `known`: versions as ranked, and rows as released."""
    if not are_built(cursor, kind.silver):
        return Link(LinkName.SILVER, kind.silver, is_recomputed=False)
    versions, released = known
    rows = fetch_rows(built(cursor), query, asked)
    current = next((each for each in versions if each.fate == "current"), None)
    count = sum(each.fate in ("current", "superseded") for each in versions)
    if len(rows) != (current is not None):
        words = f"it has {len(rows)} rows of the record, expected {int(current is not None)}"
        return Link(LinkName.SILVER, kind.silver, words)
    fault = None
    for row in () if current is None else rows:
        assert current is not None
        if row["event_id"] != current.event_id:
            fault = f"it shows event {row['event_id']}, expected {current.event_id}"
        elif row["version_count"] != count:
            fault = f"it counts {row['version_count']} versions, expected {count}"
        elif row["differing"]:
            fault = f"it differs from the record in {row['differing']}"
        elif _is_other(cursor, row, released, asked):
            fault = "its row is not the one that was released, and nothing waits for a release"
    return Link(LinkName.SILVER, kind.silver, fault)


def _is_other(cursor: Any, row: Mapping[str, Any], released: Sequence[Released], asked: Mapping[str, Any]) -> bool:
    newest = [each for each in released if each.end_release_id is None and each.event_id == row["event_id"]]
    if not newest or newest[-1].row_digest == row["content_digest"]:
        return False
    cursor.execute(_PENDING, asked)
    return not cursor.fetchone()[0]


def _silver_query(kind: ReleasedKind, landing: Landing, digest: str) -> str:
    """Silver's rows of a key, and the columns in which each is not what the payload of its own event says. Where that
    payload is not that of its fingerprint, it says nothing."""
    columns = []
    for field in landing.fields:
        if field.column is not None:
            said = "event.envelope" if field.name in landing.envelope else "event.payload"
            name = field.name.replace("'", "''").replace("%", "%%")
            told = _TYPED[field.type].format(value=f"{said} ->> '{name}'", field=f"{said} -> '{name}'")
            columns.append(f"case when row.{field.column} is distinct from {told} then '{field.column}' end")
    return f"""
        select row.event_id::text, row.version_count, {digest} as content_digest,
            case when event.payload is not null then nullif(concat_ws(', ', {", ".join(columns)}), '') end as differing
        from {kind.silver} as row
        left join lateral (
            select raw_payload::jsonb as payload, landed.envelope::jsonb as envelope
            from bronze.{kind.bronze_table} as landed
            where landed.event_id = row.event_id
                and sha256(convert_to(bronze.hash_domain(landed.record_kind) || landed.raw_payload, 'UTF8'))
                    = landed.record_fingerprint
            limit 1
        ) as event on true
        where row.{kind.key_column} = %(key)s"""


def _pointer_links(
    kind: ReleasedKind, pointers: Mapping[date, Mapping[str, Any]], moves: Sequence[Mapping[str, Any]]
) -> Iterator[Link]:
    for day in sorted({*pointers, *(move["partition_key"] for move in moves)}):
        of_day = [move for move in moves if move["partition_key"] == day]
        yield Link(
            LinkName.POINTER, str(Partition(kind.record_kind, day).day), _pointer_fault(pointers.get(day), of_day)
        )


def _pointer_fault(pointer: Mapping[str, Any] | None, moves: Sequence[Mapping[str, Any]]) -> str | None:
    if not moves or pointer is None:
        return "no move leads to where its pointer stands" if pointer else "its pointer is gone"
    if any(move["released_at"] is None for move in moves):
        return "a release that moved its pointer is gone"
    begins = [0, *(move["new_data_release_id"] for move in moves)]
    if any(move["old_data_release_id"] != before for move, before in zip(moves, begins, strict=False)):
        return "a move of its pointer is missing or edited"
    if (begins[-1], moves[-1]["moved_by"]) != (pointer["data_release_id"], pointer["moved_by"]):
        return f"its pointer stands at {pointer['data_release_id']}, its last move led to {begins[-1]}"
    return None


def _served_link(cursor: Any, kind: ReleasedKind, query: str, key: str, expected: Sequence[Released]) -> Link:
    if not are_built(cursor, kind.served):
        return Link(LinkName.SERVED, kind.served, "the view is gone" if expected else None)
    seen = sorted(
        (row["event_id"], row["partition_key"], row["content_digest"])
        for row in fetch_rows(built(cursor), query, {"key": key})
    )
    meant = sorted((row.event_id, row.partition_key, row.content_digest) for row in expected)
    if seen == meant:
        return Link(LinkName.SERVED, kind.served)
    if len(seen) != len(meant):
        return Link(LinkName.SERVED, kind.served, f"readers see {len(seen)} rows of it, the release has {len(meant)}")
    return Link(LinkName.SERVED, kind.served, "readers see another row than the released one")


def _day_links(
    cursor: Any,
    kind: ReleasedKind,
    pointers: Mapping[date, Mapping[str, Any]],
    expected: Sequence[Released],
    *,
    is_quick: bool,
) -> Iterator[Link]:
    shown = {
        Partition(kind.record_kind, row.partition_key): pointers[row.partition_key]["data_release_id"]
        for row in expected
    }
    if is_quick:
        yield from (Link(LinkName.DAY, str(partition.day), is_recomputed=False) for partition in shown)
        return
    recorded = history.recorded(cursor, shown)
    for partition, held in digests.shown(cursor, [*shown], shown).items():
        fault = None if held == recorded[partition] else "its rows are not those that were released"
        yield Link(LinkName.DAY, str(partition.day), fault)


def _showings(released: Sequence[Released], moves: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Showing, ...]]:
    """From one move of a pointer to the next, what stood there was seen; what is seen on is one showing."""
    found: dict[str, list[Showing]] = {}
    for row in released:
        of_day = [move for move in moves if move["partition_key"] == row.partition_key]
        for move, ends in pairwise([*of_day, None]):
            if move is None or not row.is_of(move["new_data_release_id"]):
                continue
            until: datetime | None = None if ends is None else ends["released_at"]
            seen = found.setdefault(row.event_id, [])
            if seen and seen[-1].until == move["released_at"] and seen[-1].partition_key == row.partition_key:
                before = seen.pop()
                seen.append(Showing(row.partition_key, before.data_release_id, before.since, until))
            else:
                seen.append(Showing(row.partition_key, move["new_data_release_id"], move["released_at"], until))
    return {event_id: tuple(seen) for event_id, seen in found.items()}
