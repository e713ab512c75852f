"""A manifest that keeps its schema, as values."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from loader.contract import parse_instant, read_exactly
from loader.kinds import Kind, declaration, declared_day
from loader.manifest.model import Asset, GatePolicy, Manifest, SelectionWindow, SidecarOf, Translation
from loader.manifest.sequence import BatchId, sequence_of


def manifest_of(declared: dict[str, Any], content: bytes, path: Path, kind: Kind, is_implicit: bool) -> Manifest:
    """`declared`: what `content` says. Raises SequenceError where no order can be derived, InexactError for a number of
    a record that no record can hold."""
    window = declared["selection_window"]
    entries = declared["assets"]
    if kind.landing is not None and kind.landing.is_composed:
        # What is declared goes into records: no number of it may have been a float.
        for entry, exact in zip(entries, read_exactly(content.decode())["assets"], strict=True):
            entry["metadata"] = exact["metadata"]
    sequences = [entry.get("sequence") for entry in entries]
    if None in sequences:
        derived = sequence_of([entry["source_id"] for entry in entries], BatchId.read(declared["batch_id"]))
        sequences = [
            derived_one if declared_one is None else declared_one
            for declared_one, derived_one in zip(sequences, derived, strict=True)
        ]
    return Manifest(
        manifest_id=declared["manifest_id"],
        batch_id=declared["batch_id"],
        contract_ref=declared["contract_ref"],
        modality=declared["modality"],
        source_type=declared["source_type"],
        load_mode=declared["load_mode"],
        selection_window=window
        and SelectionWindow(window["field"], parse_instant(window["start"]), parse_instant(window["end"])),
        license=declared["license"],
        root=declared.get("root"),
        description=declared.get("description"),
        gate_policy=GatePolicy(**declared["gate_policy"]),
        assets=tuple(
            _asset(declared, entry, ordinal, sequence, kind)
            for ordinal, (entry, sequence) in enumerate(zip(entries, sequences, strict=True), start=1)
        ),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        path=path,
        kind=kind,
        is_implicit=is_implicit,
        searches_parents=declared.get("searches_parents", False),
        translation=_translation(declared.get("translated_from")),
    )


def _translation(said: dict[str, Any] | None) -> Translation | None:
    if said is None:
        return None
    return Translation(said["dialect"], said["manifest_id"], said["manifest_sha256"], tuple(said["kept"]))


def _asset(declared: dict[str, Any], entry: dict[str, Any], ordinal: int, sequence: int, kind: Kind) -> Asset:
    landing = kind.landing
    return Asset(
        ordinal=ordinal,
        source_id=entry["source_id"],
        source_url_or_path=entry["source_url_or_path"],
        asset_type=entry["asset_type"],
        checksum_sha256=entry["checksum_sha256"],
        size_bytes=_count(entry["size_bytes"]),
        record_count=_count(entry.get("record_count")),
        sequence=int(sequence),
        canonization_status=entry["canonization_status"],
        license=entry["license"],
        pii_scan_status=entry["pii_scan_status"],
        metadata=entry["metadata"],
        declaration="" if landing is None else declaration(landing, declared, entry),
        partition_key=None if landing is None else declared_day(landing, entry["metadata"] or {}),
        metadata_status=entry.get("metadata_status"),
        notes=tuple(entry.get("notes", ())),
        beside=SidecarOf(**entry["beside"]) if "beside" in entry else None,
    )


def _count(value: float | None) -> int | None:
    # To JSON Schema 1.0 is an integer.
    return None if value is None else int(value)
