"""What a manifest declares, as values. Only parse_manifest makes them from bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from loader.kinds import Kind

JudgementWord = Literal["accept", "warn", "quarantine", "reject"]
LoadMode = Literal["full", "incremental", "backfill", "cdc", "replay"]
MetadataStatus = Literal["complete", "partial", "missing"]


@dataclass(frozen=True, slots=True)
class SelectionWindow:
    """Half-open `[start, end)` of aware UTC instants over one field of the records."""

    field: Literal["created_at", "updated_at"]
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class GatePolicy:
    """The judgement for each thing that may be unknown or doubtful; each name is an asset reason code."""

    checksum_missing: JudgementWord
    metadata_missing: JudgementWord
    metadata_partial: JudgementWord
    pii_scan_not_run: JudgementWord
    pii_suspected: JudgementWord
    contract_mismatch: JudgementWord
    license_unknown: JudgementWord


@dataclass(frozen=True, slots=True)
class SidecarOf:
    """The file that a sidecar belongs to: its entry in the manifest of its own kind."""

    manifest_id: str
    source_id: str


@dataclass(frozen=True, slots=True)
class Asset:
    """One declared file. None means that the manifest does not say.

    `ordinal` is its position in the manifest, from 1; `sequence` its place in upstream's order, derived from
    the names when it is not declared. `checksum_sha256` (lower-case hex) and `size_bytes` are of the file as
    delivered. `record_count` counts lines that are not blank. `metadata` holds `exported_at`, `owner` and
    `schema_version` as declared, any of them null or absent; of a file that is a record also fields of it, numbers as
    Decimal. `declaration`: the declared part of that record (loader/kinds), empty of a file of lines;
    `partition_key`: its UTC day, None where nothing readable is declared of it. `metadata_status`: what the source
    itself says of them, None where it says nothing; `notes`: codes of what was found when its entry was translated;
    `beside`: the file that it is a sidecar of.
    """

    ordinal: int
    source_id: str
    source_url_or_path: str
    asset_type: str
    checksum_sha256: str | None
    size_bytes: int | None
    record_count: int | None
    sequence: int
    canonization_status: Literal["candidate", "canonized"]
    license: str
    pii_scan_status: Literal["clean", "suspected", "not_run"]
    metadata: Mapping[str, Any] | None
    declaration: str = ""
    partition_key: date | None = None
    metadata_status: MetadataStatus | None = None
    notes: tuple[str, ...] = ()
    beside: SidecarOf | None = None


@dataclass(frozen=True, slots=True)
class Translation:
    """Where a manifest of one kind comes from that was delivered in another dialect, with files of several kinds.

    `manifest_id` and `sha256` are of what was delivered, `kept` the names of what it says and nothing acts on.
    `content`: its bytes, None where it was read from the warehouse; `not_landed`: sidecars of kinds that are not
    there, a sentence each.
    """

    dialect: str
    manifest_id: str
    sha256: str
    kept: tuple[str, ...]
    content: bytes | None = None
    not_landed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that keeps its schema and rules. `content` is its exact bytes, `sha256` their SHA-256 (hex).

    Paths of assets resolve against `root`, and that against the folder of `path`; with `searches_parents`, then against
    each folder above it as far as the allowed roots reach. `is_implicit`: made for one ad-hoc file, not read from
    `path`. `kind`: that of its contract_ref, which may not be landed yet. `translation`: None where `path` holds
    `content` itself.
    """

    manifest_id: str
    batch_id: str
    contract_ref: str
    modality: str
    source_type: str
    load_mode: LoadMode
    selection_window: SelectionWindow | None
    license: str
    root: str | None
    description: str | None
    gate_policy: GatePolicy
    assets: tuple[Asset, ...]
    content: bytes
    sha256: str
    path: Path
    kind: Kind
    is_implicit: bool = False
    searches_parents: bool = False
    translation: Translation | None = None

    @property
    def file_sha256(self) -> str:
        """SHA-256 of the file at `path` (hex)."""
        return self.sha256 if self.translation is None else self.translation.sha256


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason why a manifest is refused: a reason code of scope manifest, the place, a sentence."""

    reason_code: str
    json_path: str
    message: str

    def __str__(self) -> str:
        return f"{self.json_path}: {self.message} ({self.reason_code})"
