"""What a trace says: of a record its versions, of a version the lines that brought it, and every link that was
recomputed on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class LinkName(StrEnum):
    """The closed list of what is recomputed, from the archive to the reader."""

    OBJECT = "object"  # the archived bytes have the SHA-256 that names them, and are those that were delivered
    MANIFEST = "manifest"  # its bytes have their SHA-256, and declare the file
    LINE = "line"  # the archived line is where Bronze says, and what Bronze says of it
    RECORD = "record"  # the kept record has its fingerprint, its id and its day
    SILVER = "silver"  # its row is of the version that wins, and says what that says
    RELEASED = "released"  # each released row has the content of its digest
    SERVED = "served"  # readers see the row that the pointer names
    DAY = "day"  # the rows of the day add up to what was released
    POINTER = "pointer"  # each move begins where the one before it ended, and the last one where readers look now
    ACT = "act"  # the record of the release says what its rows say, and fits its neighbours
    EVIDENCE = "evidence"  # the record of the run is as it was written, and fits its neighbours


@dataclass(frozen=True, slots=True)
class Link:
    """`of`: what it is about; `fault`: what is wrong, None where it holds; `is_recomputed` false: it was left out, and
    `fault` says nothing. `asset_id`: the file that it is about."""

    name: LinkName
    of: str
    fault: str | None = None
    is_recomputed: bool = True
    asset_id: int | None = None

    @property
    def is_broken(self) -> bool:
        return self.fault is not None


@dataclass(frozen=True, slots=True)
class File:
    """An asset. `source_id` and the manifest are those of its first declaration; `sequence`: its place in upstream's
    order."""

    asset_id: int
    record_kind: str
    source_id: str
    manifest_id: str
    batch_id: str
    source_fingerprint: str
    raw_zone_key: str
    content_encoding: str
    content_bytes: int
    declaration: str
    sequence: int


@dataclass(frozen=True, slots=True)
class TracedLine:
    """A line as the last reading of its file has it. `[byte_offset, byte_offset + byte_length)`: in the decompressed
    content; `landed_at`: the file and line that brought its event first; `ruleset_sha256`, `facts_version`: under which
    it was judged."""

    file: File
    number: int
    byte_offset: int
    byte_length: int
    ruleset_id: int
    ruleset_sha256: str
    facts_version: str | None
    fate: str
    event_id: str | None
    partition_key: date | None
    landed_at: tuple[int, int] | None
    erasure_id: str | None
    reason_codes: tuple[str, ...]
    message: str | None

    @property
    def name(self) -> str:
        return f"{self.file.source_id} line {self.number}"


@dataclass(frozen=True, slots=True)
class Showing:
    """Readers saw it `[since, until)`, by a release that moved the pointer there; `until` None: they see it now."""

    partition_key: date
    data_release_id: int
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Version:
    """An event of the record, with its five anchors. `line`: the first delivery; `again`: the others.

    `fate`: current, superseded, collided (another record source has the key), replaced (a newer file counts whole in
    the place of its own), or waiting (Silver has not been built since).
    """

    event_id: str
    record_fingerprint: str
    record_source: str
    partition_key: date
    created_at: datetime
    updated_at: datetime | None
    manifest_id: str | None
    batch_id: str | None
    run_id: str
    attempt: int
    trace_id: str | None
    source_fingerprint: str | None
    evidence: str | None
    line: TracedLine | None
    again: tuple[TracedLine, ...]
    fate: str
    shown: tuple[Showing, ...] = ()

    @property
    def version_at(self) -> datetime:
        return self.updated_at or self.created_at


@dataclass(frozen=True, slots=True)
class Erased:
    """That a record of this key was erased, and nothing of whom."""

    erasure_id: str
    removed_at: datetime
    is_finished: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """`versions`: of the record, the one that Silver shows first, then from the newest to the oldest. `line`,
    `event_id`: what was asked for, where it was not the key. `content`: the bytes of that line, else of the winning
    one, where they were asked for."""

    record_kind: str
    record_key: str | None
    versions: tuple[Version, ...]
    why: str
    links: tuple[Link, ...]
    line: TracedLine | None = None
    event_id: str | None = None
    erased: Erased | None = None
    held_days: Sequence[date] = ()
    content: bytes | None = None

    @property
    def broken(self) -> tuple[Link, ...]:
        return tuple(link for link in self.links if link.is_broken)

    @property
    def left_out(self) -> tuple[LinkName, ...]:
        return tuple(dict.fromkeys(link.name for link in self.links if not link.is_recomputed))

    @property
    def shown(self) -> tuple[tuple[Version, Showing], ...]:
        """What readers see of it now."""
        return tuple((each, when) for each in self.versions for when in each.shown if when.until is None)
