"""What an erasure would remove: a person's lines, found in the archive itself, and all rows that came of them.

The plan is a file that people pass on, so it names nobody: the person is a keyed hash, records are counts. Layout:
`<reports>/erase/erase_plan_<plan_id>.json`; schema contracts/privacy/erasure_plan_v2.schema.json.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.erasure.traces import AssetLines, Search, asset_lines, encoding_of, landed_kinds, landing_of
from loader.errors import CommandUsageError
from loader.plans import read_plan
from loader.privacy import (
    is_named_in,
    look_alikes,
    person_hash,
)
from loader.raw_zone import RawZone, require_objects
from loader.reader import ContentChangedError
from loader.runs import acting_operator
from loader.warehouse import fetch_rows, released_kinds

SCHEMA_VERSION = "erasure_plan_v2"
# It counted the records of the first kind by themselves.
_EARLIER_VERSION = "erasure_plan_v1"
_SCHEMAS = {version: f"privacy/{version}.schema.json" for version in (SCHEMA_VERSION, _EARLIER_VERSION)}
# Counted for each kind, and for all.
_COUNTED = ("event_count", "record_count", "reject_count", "released_row_count")

_ASSETS = """
select asset.asset_id, asset.record_kind, asset.raw_zone_key, asset.content_encoding,
    array(select distinct entry.source_url_or_path from ops.manifest_asset as entry
        where entry.asset_id = asset.asset_id order by 1) as source_paths,
    -- Lines of the person that Bronze knows, for an object that is gone.
    array(select distinct line.line_number from bronze.record_event as event
        inner join bronze.asset_line as line on line.event_id = event.event_id
        where event.person_id = %(person)s and event.record_kind = asset.record_kind
            and line.asset_id = asset.asset_id order by 1) as known_lines
from ops.source_asset as asset order by asset.asset_id
"""

# One row for each kind, where there is anything.
_OF_KINDS = """
select record_kind, coalesce(event_count, 0) as event_count, coalesce(record_count, 0) as record_count,
    coalesce(reject_count, 0) as reject_count, coalesce(released_row_count, 0) as released_row_count,
    coalesce(landed.days, '{{}}') || coalesce(held.days, '{{}}') as days
from (
    select record_kind, count(*) as event_count, count(distinct record_key) as record_count,
        array_agg(distinct partition_key) as days
    from bronze.record_event where person_id = %(person)s group by record_kind
) as landed
full join (
    select asset.record_kind, count(*) as reject_count
    from bronze.rejected_record as reject
    inner join unnest(%(assets)s::int[], %(lines)s::int[]) as line (asset_id, line_number)
        using (asset_id, line_number)
    inner join ops.source_asset as asset using (asset_id)
    group by asset.record_kind
) as rejected using (record_kind)
full join (
    select record_kind, count(*) as released_row_count, array_agg(distinct partition_key) as days
    from ({released}) as released_row group by record_kind
) as held using (record_kind)
order by record_kind
"""

_KNOWN = """
select person_id, count(*)::int from bronze.record_event
where person_id <> %s group by person_id order by person_id
"""


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """See the schema for every field. Never written: `texts`, what the person's lines say, to search for at the end,
    and the ids in `look_alikes`, each with its keyed hash and its events: others who may be the same person. `kinds`:
    the counts of each kind that has something of the person.
    """

    person_hash: bytes
    reason: str
    assets: tuple[AssetLines, ...]
    unregistered_keys: tuple[str, ...]
    kinds: Mapping[str, Mapping[str, int]]
    partitions: tuple[date, ...]
    mention_count: int
    texts: frozenset[str]
    look_alikes: tuple[tuple[str, bytes, int], ...] = ()
    plan_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    operator: str = field(default_factory=acting_operator)

    @property
    def line_count(self) -> int:
        return sum(len(asset.numbers) for asset in self.assets)

    @property
    def is_empty(self) -> bool:
        return not self.assets and not self.unregistered_keys and not self.kinds

    def count(self, name: str) -> int:
        """The sum over the kinds, by the schema's name: event_count, record_count, reject_count, released_row_count."""
        return sum(counts[name] for counts in self.kinds.values())

    def report_path(self, settings: Settings) -> Path:
        return settings.report_dir / "erase" / f"erase_plan_{self.plan_id}.json"

    def as_record(self, settings: Settings) -> dict[str, Any]:
        """The plan as JSON-ready values, without the person's id and without anything that the person's lines say."""
        return {
            "plan_schema_version": SCHEMA_VERSION,
            "plan_id": self.plan_id,
            "customer_hash": self.person_hash.hex(),
            "reason": self.reason,
            "operator": self.operator,
            "timestamp": self.timestamp,
            "line_count": self.line_count,
            **{name: self.count(name) for name in _COUNTED},
            "kinds": [{"record_kind": kind, **counts} for kind, counts in self.kinds.items()],
            "mention_count": self.mention_count,
            "look_alikes": [
                {"customer_hash": keyed.hex(), "event_count": count} for _, keyed, count in self.look_alikes
            ],
            "partitions": [day.isoformat() for day in self.partitions],
            "assets": [
                {
                    "asset_id": asset.asset_id,
                    "raw_zone_key": asset.raw_zone_key,
                    "is_archived": bool(asset.lines),
                    "line_count": len(asset.numbers),
                    "source_paths": list(asset.source_paths),
                }
                for asset in self.assets
            ],
            "unregistered_objects": list(self.unregistered_keys),
            "report_path": settings.named(self.report_path(settings)),
        }


def make_erasure_plan(cursor: Any, settings: Settings, person_id: str, reason: str) -> ErasurePlan:
    """What an erasure of this person would remove now, of every kind: reads every archived object and asks the
    warehouse; writes nothing.

    Raises CommandUsageError for an id or a reason that cannot be used, RefusedError where an archived object is
    damaged, or of a kind that is not declared: what cannot be read cannot be searched.
    """
    _refuse_unusable(person_id, reason)
    kinds = landed_kinds(settings)
    raw_zone = RawZone(settings.raw_zone)
    cursor.execute("select hash_key from ops.erasure_key")
    key = bytes(cursor.fetchone()[0])
    search = Search(person_id)
    assets = []
    registered = set()
    for row in fetch_rows(cursor, _ASSETS, {"person": person_id}):
        registered.add(row["raw_zone_key"])
        try:
            found = asset_lines(raw_zone, row, search, landing_of(kinds, row["record_kind"]))
        except ContentChangedError:
            # What cannot be read cannot be searched.
            require_objects(cursor, settings, [row["raw_zone_key"]], are_read=True)
            raise
        if found.numbers:
            assets.append(found)
    unregistered = tuple(
        archived
        for archived in raw_zone.objects()
        if archived not in registered and search.lines(raw_zone, archived, encoding_of(archived), *kinds.values())
    )
    pairs = [(asset.asset_id, number) for asset in assets for number in asset.numbers]
    parameters = {
        "person": person_id,
        "assets": [asset_id for asset_id, _ in pairs],
        "lines": [number for _, number in pairs],
    }
    of_kinds = fetch_rows(cursor, _OF_KINDS.format(released=_released_rows(cursor)), parameters)
    cursor.execute(_KNOWN, (person_id,))
    known = dict(cursor.fetchall())
    return ErasurePlan(
        person_hash(key, person_id),
        reason.strip(),
        tuple(assets),
        unregistered,
        {row["record_kind"]: {name: row[name] for name in _COUNTED} for row in of_kinds},
        tuple(sorted({day for row in of_kinds for day in row["days"]})),
        search.mention_count,
        frozenset(search.texts),
        tuple((each, person_hash(key, each), known[each]) for each in look_alikes(person_id, known)),
    )


def _released_rows(cursor: Any) -> str:
    """SQL of kind and day of the person's released rows, of every kind; where Silver does not show whose they are, by
    their events."""
    return " union all ".join(
        f"select '{kind.record_kind}' as record_kind, partition_key from {kind.rows} where "
        + (
            f"{kind.person_column} = %(person)s"
            if kind.person_column is not None
            else "event_id in (select event_id from bronze.record_event"
            f" where record_kind = '{kind.record_kind}' and person_id = %(person)s)"
        )
        for kind in released_kinds(cursor)
    )


def read_erasure_plan(settings: Settings, typed: Path) -> dict[str, Any]:
    """The record of a plan file, or of the plan whose id begins with `typed`; one of an earlier version as what it says
    of today's. Errors as read_plan."""
    record = read_plan(settings, typed, ["erase"], _SCHEMAS, "loader erase --help")
    if record["plan_schema_version"] == _EARLIER_VERSION:
        del record["ticket_count"]
        record["plan_schema_version"] = SCHEMA_VERSION
    return record


def _refuse_unusable(person_id: str, reason: str) -> None:
    said = "nothing was planned"
    is_text = person_id.encode(errors="replace").decode() == person_id
    if not person_id.strip() or not is_text or "\0" in person_id or "\n" in person_id:
        raise CommandUsageError(
            f"--person: got {person_id!r}, expected a person's id; {said}", next_command="loader erase --help"
        )
    if not reason.strip() or is_named_in(reason, person_id):
        raise CommandUsageError(
            "--reason: expected a text that is not empty and does not name the person, since it is kept for good;"
            f" {said}",
            next_command="make erase PERSON=<id> REASON='request 4711 of 2026-11-20'",
        )
