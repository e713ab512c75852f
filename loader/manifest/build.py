"""Makes the manifest of a folder of exports."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from loader.errors import CommandUsageError, InfrastructureError
from loader.kinds import Kind, landed_kind, load_kinds
from loader.manifest.delivery import DeliveryTerms, FilePlace, arrange
from loader.manifest.draft import (
    GATE_POLICY,
    instant_text,
    manifest_bytes,
    require_source_id,
    require_storable,
)
from loader.manifest.exports import FileFacts, FoundFile, IgnoredFile, read_facts, scan
from loader.manifest.model import Manifest
from loader.manifest.notes import notes_of_files, undated_records
from loader.manifest.parse import ManifestRefusedError, parse_manifest
from loader.manifest.said import Metadata, metadata_of, read_metadata

_ID_DIGITS = 12
_SLUG_CHARACTERS = 64
_COUNTED_TYPES = ("jsonl", "jsonl_gz")


@dataclass(frozen=True, slots=True)
class BatchTerms:
    """What the bytes of the exports do not say. `contract_ref` None: of the default kind. `window` is half-open; None:
    the exporter left nothing out.

    `name` begins the manifest_id (by default the folder's name); `include` is a shell pattern for the paths
    below the folder. `owner` None leaves the metadata partial. `order`: where names leave it open, `mtime`, `name`, or
    the path of a file that lists the names, oldest first. `batch_id` None: of the day that the names say.
    `captured_at`: when files that are records were taken from their source, or recorded; None: their names say it.
    `metadata`: a file of JSON with what is said of single files (said.py), which counts before all of these.
    """

    contract_ref: str | None = None
    name: str | None = None
    include: str | None = None
    window: tuple[datetime, datetime] | None = None
    window_field: str = "created_at"
    owner: str | None = None
    license: str = "unknown"
    pii_scan_status: str = "not_run"
    is_canonized: bool = False
    order: str | None = None
    batch_id: str | None = None
    captured_at: datetime | None = None
    metadata: Path | None = None


@dataclass(frozen=True, slots=True)
class BuiltManifest:
    """A valid manifest that is not written yet; `roots_to_allow`: real folders that the gate would refuse."""

    manifest: Manifest
    ignored: tuple[IgnoredFile, ...]
    notes: tuple[str, ...]
    roots_to_allow: tuple[Path, ...]


def build_manifest(
    folder: Path,
    out: Path,
    *,
    project_root: Path,
    terms: BatchTerms | None = None,
    allowed_roots: Sequence[Path] = (),
) -> BuiltManifest:
    """The manifest of the exports below `folder`, as it would stand at `out`; writes nothing.

    The same files, names, place and terms give the same bytes, any difference another manifest_id. Time stamps
    come in only where no name, nor the folder's, says when (or `order` asks for them). Raises CommandUsageError (no
    folder, no export in it, a name that cannot be declared, an order that is open, terms that no manifest allows),
    InfrastructureError.
    """
    terms = terms or BatchTerms()
    for text in (terms.name, terms.owner, terms.license):
        require_storable(text or "", folder)
    kind = _kind(terms.contract_ref, project_root)
    files, ignored = _exports(folder, kind, terms.include)
    said = read_metadata(terms.metadata, [file.source_id for file in files])
    facts = [_facts(file) for file in files]
    delivery = arrange(
        folder,
        [file.source_id for file in files],
        [fact.modified_ns for fact in facts],
        DeliveryTerms(terms.order, terms.batch_id, _may_correct(kind, [file.source_id for file in files], said)),
    )
    # As it was said, or as a name says; never a time stamp.
    moments = [terms.captured_at or (place.exported_at if place.is_named else None) for place in delivery.files]
    root, prefix = _place(folder, out, project_root)
    body: dict[str, Any] = {
        "batch_id": delivery.batch_id,
        "contract_ref": kind.name,
        "modality": kind.modality,
        "source_type": kind.source_types[0],
        "load_mode": "full" if terms.window is None else "incremental",
        "selection_window": None if terms.window is None else _window(terms.window_field, *terms.window),
        "license": terms.license,
        **({} if root is None else {"root": root}),
        "gate_policy": GATE_POLICY,
        "assets": [
            _entry(file, fact, place, prefix, terms, metadata_of(kind, moment, said.get(file.source_id, {})))
            for file, fact, place, moment in zip(files, facts, delivery.files, moments, strict=True)
        ],
    }
    digest = hashlib.sha256(orjson.dumps(body)).hexdigest()[:_ID_DIGITS]
    content = manifest_bytes(f"manifest-{_slug(terms.name or folder.resolve().name)}-{digest}", body)
    return BuiltManifest(
        manifest=_parsed(content, out, project_root),
        ignored=tuple(ignored),
        notes=(*delivery.notes, *notes_of_files(files, facts), *undated_records(files, moments, kind, said)),
        roots_to_allow=_roots_to_allow(folder, files, (project_root, out.parent, *allowed_roots)),
    )


def _may_correct(kind: Kind, source_ids: Sequence[str], said: Metadata) -> bool:
    """Whether two of the files may hold versions of one record. Files of lines, as opposed to a document or a call,
    hold records that others correct; whole ones do where two are of the same."""
    if kind.framing != "lines" or kind.landing is None or kind.landing.whole is None:
        return kind.framing == "lines"
    named = [said.get(each, {}).get(kind.landing.whole.field) for each in source_ids]
    return len({*named}) < len(named)


def _exports(folder: Path, kind: Kind, include: str | None) -> tuple[list[FoundFile], list[IgnoredFile]]:
    """The exports of a folder, at least one, and what is none."""
    if not folder.is_dir():
        raise _no_exports(f"{os.fspath(folder)!r} is no folder")
    files, ignored = scan(folder, kind.asset_types, include)
    if not files:
        told = "".join(f"\n  ignored {one.name!r}: {one.reason}" for one in ignored[:10])
        expected = ", ".join(kind.asset_types)
        raise _no_exports(f"{os.fspath(folder)!r} holds no export of {kind.name} ({expected}){told}")
    for file in files:
        require_source_id(file.source_id, file.path)
    return files, ignored


def _parsed(content: bytes, out: Path, project_root: Path) -> Manifest:
    try:
        return parse_manifest(content, out, project_root / "contracts")
    except ManifestRefusedError as error:
        told = "".join(f"\n  {violation}" for violation in error.violations[:10])
        raise CommandUsageError(
            f"these options make no valid manifest:{told}\nno manifest was written",
            next_command="loader manifest --help",
        ) from error


def _kind(contract_ref: str | None, project_root: Path) -> Kind:
    kinds = load_kinds(project_root / "contracts")
    if contract_ref is None:
        return landed_kind(kinds, None)
    if contract_ref not in kinds:
        raise CommandUsageError(
            f"KIND: got {contract_ref!r}, expected one of {', '.join(kinds)}; nothing was written",
            next_command="make manifest FROM=<folder of exports> OUT=<manifest.json>",
        )
    return kinds[contract_ref]


def _no_exports(got: str) -> CommandUsageError:
    return CommandUsageError(
        f"{got}; no manifest was written",
        next_command="make manifest FROM=<folder of exports> OUT=<manifest.json>",
    )


def _facts(file: FoundFile) -> FileFacts:
    try:
        return read_facts(file.path, counts_records=file.asset_type in _COUNTED_TYPES)
    except OSError as error:
        raise InfrastructureError(
            f"{os.fspath(file.path)!r} went away while its folder was read; no manifest was written",
            next_command="make manifest FROM=<the folder, when it is at rest> OUT=<manifest.json>",
        ) from error


def _place(folder: Path, out: Path, project_root: Path) -> tuple[str | None, str]:
    """`root` of the manifest, and what comes before each file's name in its path.

    Relative where the project or the manifest's folder moves with its data; else `root` is the absolute path.
    """
    real_folder = Path(os.path.realpath(folder))
    real_out = Path(os.path.realpath(out.parent))
    real_project = Path(os.path.realpath(project_root))
    are_in_project = real_folder.is_relative_to(real_project) and real_out.is_relative_to(real_project)
    if are_in_project or real_folder.is_relative_to(real_out):
        prefix = os.path.relpath(real_folder, real_out)
        return None, "" if prefix == "." else f"{require_storable(Path(prefix).as_posix(), real_folder)}/"
    return require_storable(str(real_folder), real_folder), ""


def _entry(
    file: FoundFile, fact: FileFacts, place: FilePlace, prefix: str, terms: BatchTerms, metadata: Mapping[str, Any]
) -> dict[str, Any]:
    path = prefix + file.source_id
    counted = {} if fact.record_count is None else {"record_count": fact.record_count}
    return {
        "source_id": file.source_id,
        # A colon in the first part would read as a scheme.
        "source_url_or_path": f"./{path}" if ":" in path.split("/", 1)[0] else path,
        "asset_type": file.asset_type,
        "checksum_sha256": fact.fingerprint,
        "size_bytes": fact.size_bytes,
        **counted,
        "sequence": place.sequence,
        "canonization_status": "canonized" if terms.is_canonized else "candidate",
        "license": terms.license,
        "pii_scan_status": terms.pii_scan_status,
        "metadata": {
            "exported_at": instant_text(place.exported_at),
            "owner": terms.owner,
            **metadata,
        },
    }


def _window(field: str, start: datetime, end: datetime) -> dict[str, str]:
    return {"field": field, "start": instant_text(start), "end": instant_text(end)}


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:_SLUG_CHARACTERS].strip("-") or "exports"


def _roots_to_allow(folder: Path, files: Sequence[FoundFile], roots: Sequence[Path]) -> tuple[Path, ...]:
    allowed = [Path(os.path.realpath(root)) for root in roots]
    real_folder = Path(os.path.realpath(folder))
    refused = {
        real_folder if real.is_relative_to(real_folder) else real.parent
        for real in (Path(os.path.realpath(file.path)) for file in files)
        if not any(real.is_relative_to(root) for root in allowed)
    }
    return tuple(sorted(refused))
