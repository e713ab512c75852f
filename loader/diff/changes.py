"""Rows of a kind on two sides, compared by the server in one pass: how many come, go, change and move, and in which
columns. A value is shown where the kind's declaration lets it be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from loader.kinds import Field, Landing
from loader.warehouse import ReleasedKind, fetch_rows

# Where a row came from: it follows from the delivery, and is no change of the record.
_OF_THE_DELIVERY = {
    "version_count",
    "record_fingerprint",
    "event_id",
    "asset_id",
    "source_fingerprint",
    "line_number",
    "manifest_id",
    "batch_id",
    "run_id",
    "dlt_load_id",
}
_SAMPLES = 3
_SAMPLE_CHARACTERS = 60

# A record has one row on each side. What stands on both sides as it is drops out before anything is compared.
_PAIRS = """
with
shown as (
    select * from unnest(%(shown)s::date[], %(old)s::bigint[], %(new)s::bigint[])
        as shown (partition_key, old_version, new_version)
),
sided as not materialized (
    select row.*,
        coalesce(row.first_release_id <= shown.old_version
            and (row.end_release_id is null or row.end_release_id > shown.old_version), false) as is_old,
        {is_new} as is_new
    from {rows} as row
    left join shown on shown.partition_key = row.partition_key
    {left_out}
),
old_rows as (select {columns}, row_digest from sided where is_old and not is_new),
new_rows as (select {columns}, row_digest from sided where is_new and not is_old {waiting_rows})
select {found}
from old_rows as old
full join new_rows as new on new.{key} = old.{key}
{further}
where (old.partition_key, old.row_digest) is distinct from (new.partition_key, new.row_digest)
    and (%(days)s::date[] is null or old.partition_key = any(%(days)s) or new.partition_key = any(%(days)s))
    {condition}
"""
# Said so that the planner does not see it, or it would look each record of one side up on the other by itself.
_IS_PAIR = "(old.{key} is null or new.{key} is null) is not true"
_STATES = {
    "added": "old.{key} is null",
    "removed": "new.{key} is null",
    "moved": "old.partition_key <> new.partition_key",
    "changed": "old.partition_key = new.partition_key",
}
_VISIBLE_AT_NEW = """coalesce(row.first_release_id <= shown.new_version
            and (row.end_release_id is null or row.end_release_id > shown.new_version), false)"""

# A row that stands on one side only begins or ends between the two: seen before it is asked of which day it is.
_BEGINS_OR_ENDS = """row.first_release_id > %(first)s and row.first_release_id <= %(last)s
        or row.end_release_id > %(first)s and row.end_release_id <= %(last)s"""


@dataclass(frozen=True, slots=True)
class Sides:
    """`shown`: of each day the version on the old side and on the new one. `waits`: the new side is Silver, of records
    that wait for a release, None: of all; else what was released last. `is_waiting` false: the new side is a version.
    `apart`: the days whose versions differ; in others only what waits does. `days`: those that are asked for, None:
    all."""

    shown: Mapping[date, tuple[int, int]]
    apart: Sequence[date]
    is_waiting: bool = False
    waits: Sequence[str] | None = ()
    days: Sequence[date] | None = None


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column in which records differ: how many, and the most frequent changes, each with its count; of a column
    without a closed list one of them. Empty where values may not be shown."""

    name: str
    count: int
    samples: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What comes, goes, changes and moves between days, of `record_count` records on the old side. `examples`: the key
    of a record of each of these."""

    record_kind: str
    record_count: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    moved: int = 0
    columns: tuple[ColumnChange, ...] = ()
    examples: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.removed or self.changed or self.moved)

    @property
    def sentence(self) -> str:
        """Without its subject: what readers will see."""
        moved = f", {self.moved:,} of them moved to another day" if self.moved else ""
        changed = self.changed + self.moved
        return f"+{self.added:,} −{self.removed:,} ~{changed:,} of {self.record_count:,}{moved}"


def read_changes(
    cursor: Any, there: Any, kind: ReleasedKind, landing: Landing | None, sides: Sides, record_count: int
) -> Changes:
    """`there`: a cursor of who reads Silver as well as releases (loader.warehouse.built); `landing` None: nothing is
    declared of the kind any more, so no value is shown."""
    columns = [name for name, _ in kind.columns(cursor)]
    fields = {} if landing is None else {each.column: each for each in landing.fields if each.column is not None}
    of_delivery = {landing.column_of(name) for name in landing.envelope} if landing is not None else set()
    compared = [
        name for name in columns if name not in {*_OF_THE_DELIVERY, *of_delivery, kind.key_column, "partition_key"}
    ]
    key = fields.get(kind.key_column)
    # Two texts, for with a constant the planner would read both tables whole for one record.
    asked_of = "true" if sides.waits is None else f"row.{kind.key_column} in (select unnest(%(waits)s::text[]))"
    listed = ", ".join(columns)
    of_days = "where row.partition_key = any(%(apart)s::date[])"
    is_new, left_out, waiting_rows = _VISIBLE_AT_NEW, f"{of_days} and ({_BEGINS_OR_ENDS})", ""
    if sides.is_waiting:
        is_new = f"row.end_release_id is null and not ({asked_of})"
        # By index, whatever else was released.
        left_out = "" if sides.waits is None else f"{of_days} or row.{kind.key_column} = any(%(waits)s::text[])"
        digest = kind.row_digest(cursor, "row")
        waiting_rows = f"union all select {listed}, {digest} from {kind.silver} as row where {asked_of}"
    names = {
        "rows": kind.rows,
        "key": kind.key_column,
        "columns": listed,
        "is_new": is_new,
        "left_out": left_out,
        "waiting_rows": waiting_rows,
    }
    parameters = {
        "shown": list(sides.shown),
        "old": [old for old, _ in sides.shown.values()],
        "new": [new for _, new in sides.shown.values()],
        "apart": list(sides.apart),
        "first": min((min(sides.shown[day]) for day in sides.apart if day in sides.shown), default=0),
        "last": max((max(sides.shown[day]) for day in sides.apart if day in sides.shown), default=0),
        "waits": list(sides.waits or ()),
        "days": None if sides.days is None else list(sides.days),
    }
    is_key_shown = key is not None and key.may_be_shown
    counts = _PAIRS.format(**names, found=_counted(names, compared, fields, is_key_shown), further="", condition="")
    (row,) = fetch_rows(there, counts, parameters)
    listed_columns = [name for name in compared if row[f"count_{name}"] and _is_listed(fields.get(name))]
    most: dict[str, list[tuple[str, int]]] = {}
    if listed_columns:
        further, condition = _cells(names, listed_columns)
        found = "cell.name, cell.was, cell.now, count(*) as cell_count"
        query = _PAIRS.format(**names, found=found, further=further, condition=condition)
        for each in fetch_rows(there, f"{query} group by cell.name, cell.was, cell.now", parameters):
            most.setdefault(each["name"], []).append((f"{each['was']} → {each['now']}", each["cell_count"]))
    return _told(kind, compared, row, most, record_count)


def _is_listed(declared: Field | None) -> bool:
    """Whether its values are few, and may be shown."""
    return (
        declared is not None and declared.may_be_shown and (declared.values is not None or declared.type == "boolean")
    )


def _text(side: str, name: str) -> str:
    return f"left(coalesce({side}.{name}::text, 'none'), {_SAMPLE_CHARACTERS})"


def _counted(names: Mapping[str, str], compared: Sequence[str], fields: Mapping[str, Field], is_key_shown: bool) -> str:
    """Counts of each state and of each column, and an example of each: one row."""
    key = names["key"]
    found = []
    for state, condition in _STATES.items():
        is_so = condition.format(key=key)
        example = f"min(coalesce(new.{key}, old.{key})) filter (where {is_so})" if is_key_shown else "null::text"
        found += [f"count(*) filter (where {is_so}) as count_of_{state}", f"{example} as example_of_{state}"]
    for name in compared:
        is_other = f"{_IS_PAIR.format(key=key)} and old.{name} is distinct from new.{name}"
        declared = fields.get(name)
        sample = "null::text"
        if declared is not None and declared.may_be_shown and not _is_listed(declared):
            sample = f"min({_text('old', name)} || ' → ' || {_text('new', name)}) filter (where {is_other})"
        found += [f"count(*) filter (where {is_other}) as count_{name}", f"{sample} as sample_{name}"]
    return ",\n".join(found)


def _cells(names: Mapping[str, str], listed: Sequence[str]) -> tuple[str, str]:
    """Each record once for each of these columns; and those in which it differs."""
    values = ", ".join(
        f"('{name}', old.{name} is distinct from new.{name}, {_text('old', name)}, {_text('new', name)})"
        for name in listed
    )
    return (
        f"cross join lateral (values {values}) as cell (name, is_other, was, now)",
        f"and cell.is_other and {_IS_PAIR.format(key=names['key'])}",
    )


def _told(
    kind: ReleasedKind,
    compared: Sequence[str],
    row: Mapping[str, Any],
    most: Mapping[str, Sequence[tuple[str, int]]],
    record_count: int,
) -> Changes:
    columns = []
    for name in compared:
        if row[f"count_{name}"]:
            listed = sorted(most.get(name, ()), key=lambda each: (-each[1], each[0]))[:_SAMPLES]
            sample = row[f"sample_{name}"]
            samples = tuple(listed) if listed else () if sample is None else ((sample, 1),)
            columns.append(ColumnChange(name, row[f"count_{name}"], samples))
    return Changes(
        kind.record_kind,
        record_count,
        **{state: row[f"count_of_{state}"] for state in _STATES},
        columns=tuple(sorted(columns, key=lambda each: -each.count)),
        examples={state: row[f"example_of_{state}"] for state in _STATES if row[f"example_of_{state}"] is not None},
    )
