"""The plan of an erasure: a file that people pass on. It names nobody: the person is a keyed hash, records are counts.

Layout: `<reports>/erase/erase_plan_<plan_id>.json`; schema contracts/privacy/erasure_plan_v2.schema.json.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.erasure.traces import AssetLines
from loader.plans import read_plan
from loader.privacy import Record
from loader.runs import acting_operator

SCHEMA_VERSION = "erasure_plan_v2"
# It counted the records of the first kind by themselves.
_EARLIER_VERSION = "erasure_plan_v1"
_SCHEMAS = {version: f"privacy/{version}.schema.json" for version in (SCHEMA_VERSION, _EARLIER_VERSION)}
# Counted for each kind, and for all.
COUNTED = ("event_count", "record_count", "reject_count", "released_row_count")


@dataclass(frozen=True, slots=True)
class ErasurePlan:
    """See the schema for every field. Never written: `texts`, what the person's lines say, to search for at the end,
    the ids in `look_alikes`, each with its keyed hash and its events: others who may be the same person; and `records`,
    the person's and those of files that go with them. `kinds`: the counts of each kind that has something of the
    person.
    """

    person_hash: bytes
    reason: str
    assets: tuple[AssetLines, ...]
    unregistered_keys: tuple[str, ...]
    kinds: Mapping[str, Mapping[str, int]]
    partitions: tuple[date, ...]
    mention_count: int
    texts: frozenset[str]
    records: frozenset[Record]
    look_alikes: tuple[tuple[str, bytes, int], ...] = ()
    plan_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    timestamp: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    operator: str = field(default_factory=acting_operator)

    @property
    def files(self) -> list[int]:
        """The assets that go whole."""
        return [asset.asset_id for asset in self.assets if asset.is_whole]

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
            **{name: self.count(name) for name in COUNTED},
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


def read_erasure_plan(settings: Settings, typed: Path) -> dict[str, Any]:
    """The record of a plan file, or of the plan whose id begins with `typed`; one of an earlier version as what it says
    of today's. Errors as read_plan."""
    record = read_plan(settings, typed, ["erase"], _SCHEMAS, "loader erase --help")
    if record["plan_schema_version"] == _EARLIER_VERSION:
        del record["ticket_count"]
        record["plan_schema_version"] = SCHEMA_VERSION
    return record
