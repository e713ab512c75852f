"""What to tell, and to type, when the archive does not give an object: which file it was, and what mends it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.errors import InfrastructureError
from loader.gate import AssetRefusedError, allowed_roots, base_folder, located, open_within
from loader.kinds import kind_option
from loader.manifest import parse_manifest
from loader.printable import pasted
from loader.raw_zone.archive import ArchiveDamagedError, ObjectState, RawZone
from loader.reader import read_chunks

# Every object, with a manifest that declares its file: one that lies in a file first, the newest of these.
_DECLARED = """
select distinct on (asset.asset_id)
    asset.raw_zone_key, asset.source_fingerprint, entry.source_id, entry.source_url_or_path, manifest.manifest_id,
    manifest.batch_id, manifest.contract_ref, manifest.manifest_bytes, manifest.manifest_path, manifest.is_implicit
from ops.source_asset as asset
inner join ops.manifest_asset as entry on entry.asset_id = asset.asset_id
inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id
where asset.raw_zone_key = any(%s)
order by asset.asset_id, manifest.is_implicit, manifest.registered_at desc
"""

# What only a person can do.
BACK_FIRST = "first, the delivered file is put back, from a backup or from upstream"


@dataclass(frozen=True, slots=True)
class _LostObject:
    """An object with the file that it was; `has_source`: the delivered file still has its bytes."""

    key: str
    state: ObjectState
    source_id: str
    manifest_id: str
    source: Path
    fingerprint: str
    has_source: bool
    # As `make ingest` takes it: the manifest's file, or an ad-hoc file with its batch.
    manifest: str | None
    input_and_batch: str


def require_objects(cursor: Any, settings: Settings, keys: Sequence[str], *, are_read: bool = False) -> None:
    """Raise ArchiveDamagedError where the archive does not give one of `keys`. `are_read`: every byte is compared,
    which takes the seal off damaged objects; else sealed ones are believed."""
    raw_zone = RawZone(settings.raw_zone)
    states = {key: raw_zone.verify(key) if are_read else raw_zone.state(key) for key in dict.fromkeys(keys)}
    lost = {key: state for key, state in states.items() if state != "sound"}
    if lost:
        raise lost_objects(cursor, settings, lost)


def lost_objects(cursor: Any, settings: Settings, states: Mapping[str, ObjectState]) -> ArchiveDamagedError:
    """The error for objects that are missing or damaged. Reads the delivered files, to say whether they can mend it."""
    cursor.execute(_DECLARED, (list(states),))
    names = [column.name for column in cursor.description]
    lost = [_described(settings, states, dict(zip(names, row, strict=True))) for row in cursor.fetchall()]
    if not lost:
        key, state = next(iter(states.items()))
        path = pasted(RawZone(settings.raw_zone).path_of(key))
        return ArchiveDamagedError(
            f"archived object {key}: {state}, and of no file that any manifest declares; nothing was read",
            next_command=f"mv -- {path} {path}.damaged",
        )
    first = lost[0]
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    gone = [each for each in lost if not each.has_source]
    mends = (
        "The delivered files still have their bytes: an ingest of them puts the archive right"
        if not gone
        else f"The delivered file {gone[0].source} does not have its bytes any more: put it there from a backup, with"
        f" SHA-256 {gone[0].fingerprint}; an ingest then puts the archive right"
    )
    return ArchiveDamagedError(
        f"archived object {first.key}: {first.state}; it is {first.source_id} of manifest {first.manifest_id}{more}."
        " Its lines cannot be read again until it is back, and nothing was landed from it now; what Bronze, Silver and"
        f" readers have of it stays. {mends}",
        next_command=_ingest_of(lost),
    )


def _described(settings: Settings, states: Mapping[str, ObjectState], row: Mapping[str, Any]) -> _LostObject:
    path = Path(row["manifest_path"])
    manifest = parse_manifest(
        bytes(row["manifest_bytes"]), path, settings.project_root / "contracts", is_implicit=row["is_implicit"]
    )
    roots = allowed_roots(settings.project_root, path, settings.allowed_roots)
    source = base_folder(manifest) / row["source_url_or_path"]
    digest = hashlib.sha256()
    try:
        found = located(manifest, row["source_url_or_path"], roots)
        source = found if manifest.searches_parents else source
        with open_within(found, roots) as file:
            for chunk in read_chunks(file):
                digest.update(chunk)
        has_source = digest.hexdigest() == row["source_fingerprint"]
    except (AssetRefusedError, InfrastructureError):
        has_source = False
    return _LostObject(
        row["raw_zone_key"],
        states[row["raw_zone_key"]],
        row["source_id"],
        row["manifest_id"],
        source,
        row["source_fingerprint"],
        has_source,
        None if row["is_implicit"] else settings.named(path),
        f"INPUT={pasted(settings.named(source))} BATCH={row['batch_id']}"
        + kind_option(settings.project_root / "contracts", row["contract_ref"]),
    )


def _ingest_of(lost: Sequence[_LostObject]) -> str:
    """One command that ingests the files again: all that manifests in files declare, else the first by itself. Files
    that do not have their bytes now stop it: what they have instead would be landed as a new delivery."""
    manifests = list(dict.fromkeys(each.manifest for each in lost if each.manifest))
    arguments = f"MANIFEST={pasted(','.join(manifests))}" if manifests else lost[0].input_and_batch
    ingested = [each for each in lost if each.manifest] or lost[:1]
    gone = dict.fromkeys(_checked(each) for each in ingested if not each.has_source)
    ingest = f"make ingest {arguments}"
    check = f"printf '%s\\n' {' '.join(map(pasted, gone))} | sha256sum -c"
    return f"{check} && {ingest}   # {BACK_FIRST}" if gone else ingest


def _checked(lost: _LostObject) -> str:
    """A line for sha256sum, which wants a name that takes more than a line escaped."""
    name = os.fspath(lost.source)
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n")
    mark = "" if escaped == name else "\\"
    return f"{mark}{lost.fingerprint}  {escaped}"
