"""The ground truth, counted while lines are written: what each line is, which version of a record wins."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from data.generator.instants import day_of

FORMAT = "expected_v1"


class Version(NamedTuple):
    """A rendered line and what the warehouse must make of it; `content` is what winners_digest64 takes of the row."""

    line: str
    instant_us: int
    partition: int
    content: str
    warning_codes: tuple[str, ...] = ()


class Entity:
    """What versions are of, and which of those written so far wins."""

    __slots__ = ("partitions", "winner")

    def __init__(self) -> None:
        # (instant in microseconds, partition, content) of the version that wins so far.
        self.winner: tuple[int, int, str] | None = None
        self.partitions: tuple[int, ...] = ()


@dataclass(slots=True)
class FileTruth:
    """Lines of one export. `lines` = blank + rejected + duplicates + events."""

    blank: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    events: int = 0
    delivered_late: int = 0
    warnings: dict[str, int] = field(default_factory=dict)
    content_bytes: int = 0

    def reject(self, reason_code: str) -> None:
        self.rejected[reason_code] = self.rejected.get(reason_code, 0) + 1

    def as_json(self) -> dict[str, object]:
        rejected = sum(self.rejected.values())
        return {
            "lines": self.blank + rejected + self.duplicates + self.events,
            "blank": self.blank,
            "rejected": rejected,
            "rejected_by_reason": dict(sorted(self.rejected.items())),
            "duplicates": self.duplicates,
            "events": self.events,
            "delivered_late": self.delivered_late,
            "warnings": dict(sorted(self.warnings.items())),
            "content_bytes": self.content_bytes,
        }


@dataclass(slots=True)
class PartitionTruth:
    """Events and rows of a UTC day of created_at; superseded = events - silver_rows (no key collides)."""

    events: int = 0
    duplicates: int = 0
    silver_rows: int = 0
    moved: int = 0
    digest: int = 0

    def as_json(self) -> dict[str, object]:
        return {
            "record_lines": self.events + self.duplicates,
            "events": self.events,
            "duplicates": self.duplicates,
            "superseded": self.events - self.silver_rows,
            "silver_rows": self.silver_rows,
            "moved": self.moved,
            "winners_digest64": str(self.digest),
        }


def digest64(text: str) -> int:
    """The first 64 bits of the MD5 as a signed number, as SQL's ops.digest64 defines it."""
    return int.from_bytes(hashlib.md5(text.encode(), usedforsecurity=False).digest()[:8], "big", signed=True)


class Truth:
    """Files in their order of writing, which is the order of their days: the upstream order."""

    def __init__(self) -> None:
        self.files: dict[str, FileTruth] = {}
        self.partitions: dict[int, PartitionTruth] = {}

    def partition(self, day: int) -> PartitionTruth:
        if day not in self.partitions:
            self.partitions[day] = PartitionTruth()
        return self.partitions[day]

    def event(self, entity: Entity, version: Version, file: FileTruth) -> None:
        """A first delivery. Called in line order, so that of two equal instants the later call wins."""
        file.events += 1
        self.partition(version.partition).events += 1
        for code in version.warning_codes:
            file.warnings[code] = file.warnings.get(code, 0) + 1
        if version.partition not in entity.partitions:
            entity.partitions += (version.partition,)
        if entity.winner is None or version.instant_us >= entity.winner[0]:
            entity.winner = (version.instant_us, version.partition, version.content)

    def settle(self, entity: Entity) -> None:
        """All versions of it are written: its winner becomes a row."""
        if entity.winner is None:
            return  # every version was damaged
        _, day, content = entity.winner
        partition = self.partition(day)
        partition.silver_rows += 1
        partition.digest += digest64(content)
        for other in entity.partitions:
            if other != day:
                self.partition(other).moved += 1

    def as_json(self, options: dict[str, object]) -> dict[str, object]:
        partitions = [self.partitions[day] for day in sorted(self.partitions)]
        return {
            "format": FORMAT,
            "options": options,
            "totals": {
                "files": len(self.files),
                **_sums(file.as_json() for file in self.files.values()),
                "partitions": len(partitions),
                "silver_rows": sum(partition.silver_rows for partition in partitions),
                "moved": sum(partition.moved for partition in partitions),
            },
            "files": {name: file.as_json() for name, file in self.files.items()},
            "partitions": {day_of(day).isoformat(): self.partitions[day].as_json() for day in sorted(self.partitions)},
        }


def _sums(files: Iterable[dict[str, object]]) -> dict[str, object]:
    """Counts of all files added up; reason codes and warnings each by their own code."""
    totals: dict[str, object] = {}
    for file in files:
        for name, value in file.items():
            if isinstance(value, dict):
                sums = totals.setdefault(name, {})
                assert isinstance(sums, dict)
                for code, count in value.items():
                    sums[code] = sums.get(code, 0) + count
            elif isinstance(value, int):
                before = totals.get(name, 0)
                assert isinstance(before, int)
                totals[name] = before + value
    return {name: dict(sorted(value.items())) if isinstance(value, dict) else value for name, value in totals.items()}
