"""The record of an act on what readers see: a release, a restore, a hold or its end, drift let pass, an expiry.

Layout: `<reports>/release/<act>_<number>_<id>.json`, the id that of the run or plan, or made for the act: a restored
database gives numbers again, never ids. Schema contracts/release_evidence/release_evidence_v2.schema.json. A
record says what the act's own rows say, and is composed from them: it can be composed again, and compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.evidence.chain import append
from loader.runs import new_run_id
from loader.warehouse import fetch_rows

SCHEMA_VERSION = "release_evidence_v2"
# The version that knew one kind: its records say no kind, and name counts by it.
_OF_ONE_KIND = "release_evidence_v1"
_ITS_NAMES = {"record_count": "ticket_count", "record_digest": "ticket_digest"}
# Also the dataset of these records in the chain.
ASSET_KEY = "release/partition_pointer"

# What acts leave: name -> table, key. A record may tell of several changes of holds and acceptances.
ACTS = {
    "data_release": ("release.data_release", "data_release_id"),
    "hold_change": ("release.hold_change", "change_id"),
    "acceptance": ("release.acceptance", "acceptance_id"),
    "expiry": ("release.expiry", "expiry_id"),
}

# What an erasure took out of a version after the act: the record says how it was then.
_ERASED = """
select sum(gone.record_count)::bigint as record_count, sum(gone.record_digest) as record_digest
from ops.erased_version as gone
inner join ops.erasure as erasure on erasure.erasure_id = gone.erasure_id and erasure.event_number > {event_number}
where gone.record_kind = version.record_kind and gone.partition_key = version.partition_key
    and gone.data_release_id = version.data_release_id
"""

_RELEASES = f"""
select release.data_release_id, release.run_id::text, release.attempt, release.trace_id, release.plan_id::text,
    release.dbt_invocation_id, release.operator, release.reason, release.released_at as acted_at,
    coalesce((
        select jsonb_agg(jsonb_build_object(
            'record_kind', move.record_kind, 'partition_key', move.partition_key,
            'old_release_id', move.old_data_release_id, 'new_release_id', move.new_data_release_id,
            'record_count', coalesce(version.record_count, 0) + coalesce(erased.record_count, 0),
            'record_digest', (coalesce(version.record_digest, 0) + coalesce(erased.record_digest, 0))::text)
            order by move.record_kind, move.partition_key)
        from release.pointer_move as move
        left join release.partition_version as version
            on version.record_kind = move.record_kind and version.partition_key = move.partition_key
            and version.data_release_id = move.new_data_release_id
        left join lateral ({_ERASED.format(event_number="release.event_number")}) as erased on true
        where move.moved_by = release.data_release_id
    ), '[]') as pointers
from release.data_release as release
where release.data_release_id = any(%s)
"""

_HOLDS = """
select change_id, record_kind, partition_key::text, is_held, operator, reason, trace_id, changed_at
from release.hold_change where change_id = any(%s) order by change_id
"""

_ACCEPTANCES = """
select acceptance_id, record_kind, partition_key::text, check_name, measure, operator, reason, trace_id, accepted_at
from release.acceptance where acceptance_id = any(%s) order by acceptance_id
"""

_EXPIRIES = f"""
select expiry.expiry_id, expiry.trace_id, expiry.plan_id::text, expiry.operator, expiry.reason,
    expiry.expired_at as acted_at, expiry.older_than, expiry.kept_count, expiry.removed_row_count,
    coalesce((
        select jsonb_agg(jsonb_build_object(
            'record_kind', version.record_kind, 'partition_key', version.partition_key,
            'data_release_id', version.data_release_id,
            'record_count', version.record_count + coalesce(erased.record_count, 0),
            'record_digest', (version.record_digest + coalesce(erased.record_digest, 0))::text)
            order by version.record_kind, version.partition_key, version.data_release_id)
        from release.partition_version as version
        left join lateral ({_ERASED.format(event_number="expiry.event_number")}) as erased on true
        where version.expired_by = expiry.expiry_id
    ), '[]') as versions
from release.expiry as expiry
where expiry.expiry_id = any(%s)
"""


# Where a record lists rows, and what it says of each.
_LISTED = {
    "hold_change": ("holds", ("change_id", "record_kind", "partition_key", "is_held", "reason")),
    "acceptance": ("accepted", ("acceptance_id", "record_kind", "partition_key", "check_name", "measure", "reason")),
}
# Whose row says who acted, when and why: the first of these that there is.
_FIRST = ("data_release", "expiry", "hold_change", "acceptance")
_QUERIES = {"data_release": _RELEASES, "hold_change": _HOLDS, "acceptance": _ACCEPTANCES, "expiry": _EXPIRIES}

# The rows of acts: the name of what they are (ACTS) -> number -> row.
Told = Mapping[str, Mapping[int, Mapping[str, Any]]]
# The numbers of the rows that an act left, by the same names.
Numbers = Mapping[str, Collection[int]]


def read_told(cursor: Any, numbers: Numbers) -> Told:
    """What the acts with these numbers left; one that is not there is not in the answer."""
    told = {
        name: fetch_rows(cursor, query, (sorted(numbers[name]),))
        for name, query in _QUERIES.items()
        if numbers.get(name)
    }
    return {name: {row[ACTS[name][1]]: row for row in told.get(name, ())} for name in _QUERIES}


def numbers_of(record: Mapping[str, Any]) -> dict[str, set[int]]:
    """The rows that a record says it is of."""
    listed = {name: {row[ACTS[name][1]] for row in record.get(field, ())} for name, (field, _) in _LISTED.items()}
    single = {name: {record[ACTS[name][1]]} - {None} for name in ("data_release", "expiry")}
    return listed | single


def compose(told: Told, act: str, numbers: Numbers) -> dict[str, Any] | None:
    """What a record of an act says, JSON-ready, without its place in the chain; None where a row of the act is gone."""
    found = {name: [told[name].get(number) for number in sorted(numbers.get(name, ()))] for name in ACTS}
    rows = {name: [row for row in held if row is not None] for name, held in found.items()}
    if rows != found or not any(rows.values()):
        return None
    row = next(rows[name][0] for name in _FIRST if rows[name])
    (acted_at, *_) = (row[name] for name in ("acted_at", "changed_at", "accepted_at") if name in row)
    record = {
        "evidence_schema_version": SCHEMA_VERSION,
        "asset_key": ASSET_KEY,
        "act": act,
        "data_release_id": row.get("data_release_id"),
        "expiry_id": row.get("expiry_id"),
        **{name: row.get(name) for name in ("run_id", "attempt", "trace_id", "plan_id", "dbt_invocation_id")},
        "operator": row["operator"],
        "reason": row["reason"],
        "acted_at": _instant(acted_at),
        "pointers": row.get("pointers", []),
        "holds": _listed(rows["hold_change"], "hold_change"),
    }
    if rows["acceptance"]:
        record["accepted"] = _listed(rows["acceptance"], "acceptance")
    if rows["expiry"]:
        record["expired"] = {
            "older_than": _instant(row["older_than"]),
            "kept_count": row["kept_count"],
            "removed_row_count": row["removed_row_count"],
            "versions": row["versions"],
        }
    return record


def as_recorded(record: Mapping[str, Any], version: str) -> dict[str, Any]:
    """A composed record as a loader of that version of the schema wrote it."""
    if version != _OF_ONE_KIND:
        return dict(record)
    told = {**record, "evidence_schema_version": version}
    for name in ("pointers", "holds", "accepted"):
        if name in record:
            told[name] = [_of_one_kind(row) for row in record[name]]
    if "expired" in record:
        told["expired"] = {
            **record["expired"],
            "versions": [_of_one_kind(row) for row in record["expired"]["versions"]],
        }
    return told


def _of_one_kind(row: Mapping[str, Any]) -> dict[str, Any]:
    return {_ITS_NAMES.get(name, name): value for name, value in row.items() if name != "record_kind"}


def record_act(cursor: Any, settings: Settings, act: str, numbers: Numbers) -> Path:
    """Add the record of an act, made in the caller's transaction, to the chain; returns where its file will be.

    `act`: publish, override, restore, hold, free (the end of holds without a release), accept (drift let pass without
    one) or expire; `numbers`: of the rows that it left, by their names in ACTS. The file is written by write_files,
    after the commit.
    """
    record = compose(read_told(cursor, numbers), act, numbers)
    assert record is not None
    stem = "release" if record["data_release_id"] else act
    number = next(min(numbers[name]) for name in _FIRST if numbers.get(name))
    of_act = record["run_id"] or record["plan_id"] or new_run_id()
    path = settings.report_dir / "release" / f"{stem}_{number:06d}_{of_act}.json"
    return append(cursor, settings, {**record, "report_path": settings.named(path)})


def _listed(rows: Iterable[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    _, names = _LISTED[name]
    return [{name: row[name] for name in names} for row in rows]


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()
