"""The manifest of one ad-hoc file, which nobody wrote."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from loader.checkout import find_project_root
from loader.errors import CommandUsageError
from loader.kinds import Kind, fields_to_say, landed_kind, load_kinds
from loader.manifest.draft import GATE_POLICY, day_of_record, manifest_bytes, require_source_id
from loader.manifest.exports import FileFacts, asset_type_of_name, read_facts
from loader.manifest.model import Manifest
from loader.manifest.names import read_name
from loader.manifest.parse import parse_manifest
from loader.manifest.sequence import BatchId, day_place, sequences_in
from loader.printable import in_one_line, pasted
from loader.reader import NotARegularFileError


def implicit_manifest(
    input_path: Path, batch_id: str, contracts_folder: Path | None = None, record_kind: str | None = None
) -> Manifest:
    """The manifest of one ad-hoc file of a kind, by default of the default one; it exists in memory and, once a run
    uses it, in the warehouse.

    The manifest_id follows from batch, file name and bytes, and from a kind that is not the default one: the same file
    in the same batch is the same manifest, wherever it lies. Its `path` is the real path of the file. Whatever is
    unknown about such a file is a warning, never a refusal. It stands where its name says, and among files of one name,
    or without a date, where its batch does; one that is a record is of that day. Raises CommandUsageError for no kind,
    a batch_id of another form, a path that is no file, or a kind of which an entry has to say more, InfrastructureError
    for a file that cannot be read.
    """
    contracts = contracts_folder or find_project_root() / "contracts"
    kind = landed_kind(load_kinds(contracts), record_kind)
    of_kind = "" if record_kind is None else f" KIND={kind.name}"
    batch = BatchId.read(batch_id)
    if batch is None:
        raise CommandUsageError(
            f"BATCH: got {batch_id!r}, expected batch-YYYYMMDD-NNN; nothing was started",
            next_command=f"make ingest INPUT={pasted(input_path)} BATCH=batch-20260417-001{of_kind}",
        )
    path = Path(os.path.realpath(input_path))
    name = require_source_id(path.name, path)
    try:
        facts = read_facts(path, counts_records=False)
    except (FileNotFoundError, NotADirectoryError, NotARegularFileError) as error:
        raise CommandUsageError(
            f"INPUT: {os.fspath(input_path)!r} is no file; nothing was started",
            next_command=f"make ingest INPUT=<file> BATCH={batch_id}{of_kind}",
        ) from error
    _require_nothing_to_say(path, kind)
    body: dict[str, Any] = {
        "batch_id": batch_id,
        "contract_ref": kind.name,
        "modality": kind.modality,
        "source_type": kind.source_types[0],
        "load_mode": "full",
        "selection_window": None,
        "license": "unknown",
        "gate_policy": GATE_POLICY | {"metadata_missing": "warn"},
        "assets": [_asset(name, facts, batch, kind)],
    }
    named = f"{name}\0{facts.fingerprint}" + ("" if kind.is_default else f"\0{kind.name}")
    identity = hashlib.sha256(named.encode()).hexdigest()
    content = manifest_bytes(f"implicit-{batch_id}-{identity[:16]}", body)
    return parse_manifest(content, path, contracts, is_implicit=True)


def require_file_of_kind(
    input_path: Path, batch_id: str, kinds: Mapping[str, Kind], record_kind: str | None = None
) -> None:
    """Raises CommandUsageError where the name of a file ends as files of other kinds do, and as none of this one does:
    a PDF is no lines of tickets, and a refusal costs less than the rejects. A name that says nothing, as `.txt` does,
    is any kind's, and a file that is not there is refused as such."""
    kind = landed_kind(kinds, record_kind)
    name = input_path.name
    others = [each for each in kinds.values() if each.is_landed and asset_type_of_name(name, each.asset_types)]
    if not others or kind in others or name.lower().endswith(".txt") or not input_path.is_file():
        return
    names = ", ".join(each.name for each in others)
    said = "" if others[0].is_default else f" KIND={others[0].name}"
    raise CommandUsageError(
        f"INPUT: {name!r} ends as a file of {names} does, not as one of {kind.name}"
        f" ({', '.join(kind.asset_types)}); nothing was started",
        next_command=f"make ingest INPUT={pasted(input_path)} BATCH={pasted(batch_id)}{said}",
    )


def _require_nothing_to_say(path: Path, kind: Kind) -> None:
    """Raises CommandUsageError for a file of which more must be said than its name and batch do: each of its records
    would be rejected."""
    needed = () if kind.landing is None else fields_to_say(kind.landing)
    if not needed:
        return
    said = {path.name: dict.fromkeys(needed, "…")}
    raise CommandUsageError(
        f"INPUT: each record of {kind.name} needs {' and '.join(needed)}, which only a manifest says of"
        f" {path.name!r}; nothing was started",
        next_command=f"make manifest FROM={pasted(path.parent)} OUT=<manifest.json> KIND={kind.name}"
        f" METADATA=<file.json>   # which holds {in_one_line(json.dumps(said, ensure_ascii=False))}",
    )


def _sequence(name: str, batch: BatchId) -> int:
    """Where the file stands in upstream's order."""
    place = read_name(name, now=datetime.now(UTC))
    if place.period is None:
        # After the daily export of the batch's day, before that of the next.
        return day_place(batch.day, batch.number)
    (sequence,) = sequences_in([0], [place], [0], batch)
    return sequence


def _asset(name: str, facts: FileFacts, batch: BatchId, kind: Kind) -> dict[str, Any]:
    asset_type, metadata = "jsonl_gz" if facts.is_gzip else "jsonl", None
    if kind.landing is not None and kind.landing.is_composed:
        if kind.framing == "file":
            asset_type = asset_type_of_name(name, kind.asset_types) or kind.asset_types[0]
        period = read_name(name, now=datetime.now(UTC)).period
        at = period.last_second if period is not None else datetime.combine(batch.day, time(), UTC)
        metadata = day_of_record(kind, at)
    return {
        "source_id": name,
        # With the dot a colon in the name is no scheme.
        "source_url_or_path": f"./{name}",
        "asset_type": asset_type,
        "checksum_sha256": facts.fingerprint,
        "size_bytes": facts.size_bytes,
        "sequence": _sequence(name, batch),
        "canonization_status": "candidate",
        "license": "unknown",
        "pii_scan_status": "not_run",
        "metadata": metadata,
    }
