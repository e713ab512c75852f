"""The record of an act on what readers see: a release, a restore, a hold or its end, an expiry.

Layout: `<reports>/release/<act>_<number>.json`; schema contracts/release_evidence/release_evidence_v1.schema.json. A
record says what the act's own rows say, and is composed from them: it can be composed again, and compared.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.evidence.chain import append, named
from loader.evidence.facts import fetch_rows

SCHEMA_VERSION = "release_evidence_v1"
# Also the dataset of these records in the chain.
ASSET_KEY = "release/partition_pointer"

# What acts leave: name -> table, key.
ACTS = {
    "data_release": ("release.data_release", "data_release_id"),
    "hold_change": ("release.hold_change", "change_id"),
    "expiry": ("release.expiry", "expiry_id"),
}

# What an erasure took out of a version after the act: the record says how it was then.
_ERASED = """
select sum(gone.ticket_count)::bigint as ticket_count, sum(gone.ticket_digest) as ticket_digest
from ops.erased_version as gone
inner join ops.erasure as erasure on erasure.erasure_id = gone.erasure_id and erasure.removed_at > {acted_at}
where gone.partition_key = version.partition_key and gone.data_release_id = version.data_release_id
"""

_RELEASES = f"""
select release.data_release_id, release.run_id::text, release.attempt, release.trace_id, release.plan_id::text,
    release.dbt_invocation_id, release.operator, release.reason, release.released_at as acted_at,
    coalesce((
        select jsonb_agg(jsonb_build_object(
            'partition_key', move.partition_key, 'old_release_id', move.old_data_release_id,
            'new_release_id', move.new_data_release_id,
            'ticket_count', coalesce(version.ticket_count, 0) + coalesce(erased.ticket_count, 0),
            'ticket_digest', (coalesce(version.ticket_digest, 0) + coalesce(erased.ticket_digest, 0))::text)
            order by move.partition_key)
        from release.pointer_move as move
        left join release.partition_version as version
            on version.partition_key = move.partition_key and version.data_release_id = move.new_data_release_id
        left join lateral ({_ERASED.format(acted_at="release.released_at")}) as erased on true
        where move.moved_by = release.data_release_id
    ), '[]') as pointers
from release.data_release as release
where release.data_release_id = any(%s)
"""

_HOLDS = """
select change_id, partition_key::text, is_held, operator, reason, trace_id, changed_at
from release.hold_change where change_id = any(%s) order by change_id
"""

_EXPIRIES = f"""
select expiry.expiry_id, expiry.trace_id, expiry.plan_id::text, expiry.operator, expiry.reason,
    expiry.expired_at as acted_at, expiry.older_than, expiry.kept_count, expiry.removed_row_count,
    coalesce((
        select jsonb_agg(jsonb_build_object(
            'partition_key', version.partition_key, 'data_release_id', version.data_release_id,
            'ticket_count', version.ticket_count + coalesce(erased.ticket_count, 0),
            'ticket_digest', (version.ticket_digest + coalesce(erased.ticket_digest, 0))::text)
            order by version.partition_key, version.data_release_id)
        from release.partition_version as version
        left join lateral ({_ERASED.format(acted_at="expiry.expired_at")}) as erased on true
        where version.expired_by = expiry.expiry_id
    ), '[]') as versions
from release.expiry as expiry
where expiry.expiry_id = any(%s)
"""


@dataclass(frozen=True, slots=True)
class Told:
    """Rows that acts left, by their numbers."""

    releases: Mapping[int, Mapping[str, Any]]
    holds: Mapping[int, Mapping[str, Any]]
    expiries: Mapping[int, Mapping[str, Any]]


def read_told(cursor: Any, releases: Sequence[int], holds: Sequence[int], expiries: Sequence[int]) -> Told:
    """What the acts with these numbers left; one that is not there is not in the answer."""
    return Told(
        {row["data_release_id"]: row for row in fetch_rows(cursor, _RELEASES, (list(releases),))},
        {row["change_id"]: row for row in fetch_rows(cursor, _HOLDS, (list(holds),))},
        {row["expiry_id"]: row for row in fetch_rows(cursor, _EXPIRIES, (list(expiries),))},
    )


def compose(
    told: Told, act: str, release: int | None, changes: Collection[int], expiry: int | None
) -> dict[str, Any] | None:
    """What a record of an act says, JSON-ready, without its place in the chain; None where a row of the act is gone."""
    if not told.holds.keys() >= set(changes):
        return None
    holds = [told.holds[number] for number in sorted(changes)]
    if release is not None:
        row = told.releases.get(release)
    elif expiry is not None:
        row = told.expiries.get(expiry)
    else:
        row = {**holds[0], "acted_at": holds[0]["changed_at"]} if holds else None
    if row is None:
        return None
    record = {
        "evidence_schema_version": SCHEMA_VERSION,
        "asset_key": ASSET_KEY,
        "act": act,
        "data_release_id": release,
        "expiry_id": expiry,
        **{name: row.get(name) for name in ("run_id", "attempt", "trace_id", "plan_id", "dbt_invocation_id")},
        "operator": row["operator"],
        "reason": row["reason"],
        "acted_at": _instant(row["acted_at"]),
        "pointers": row.get("pointers", []),
        "holds": [{name: hold[name] for name in ("change_id", "partition_key", "is_held", "reason")} for hold in holds],
    }
    if expiry is not None:
        record["expired"] = {
            "older_than": _instant(row["older_than"]),
            "kept_count": row["kept_count"],
            "removed_row_count": row["removed_row_count"],
            "versions": row["versions"],
        }
    return record


def record_act(
    cursor: Any,
    settings: Settings,
    act: str,
    *,
    release: int | None = None,
    changes: Iterable[int] = (),
    expiry: int | None = None,
) -> Path:
    """Add the record of an act, made in the caller's transaction, to the chain; returns where its file will be.

    `act`: publish, override, restore, hold, free (the end of holds without a release) or expire; `release`, `changes`
    (of holds) and `expiry`: the numbers of the rows that it left. The file is written by write_files, after the commit.
    """
    numbers = sorted(changes)
    told = read_told(cursor, _listed(release), numbers, _listed(expiry))
    record = compose(told, act, release, numbers, expiry)
    assert record is not None
    number = next(number for number in (release, expiry, *numbers) if number is not None)
    stem = "release" if release is not None else act
    path = settings.report_dir / "release" / f"{stem}_{number:06d}.json"
    return append(cursor, settings, {**record, "report_path": named(settings, path)})


def _listed(number: int | None) -> list[int]:
    return [] if number is None else [number]


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat()
