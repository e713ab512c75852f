"""Sources as they lie there now, beside what was registered of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from loader.config import Settings
from loader.gate import AssetRefusedError, allowed_roots, locate_in, located, open_within
from loader.manifest import Asset, Manifest
from loader.reader import read_chunks
from loader.recovery.plan import PlannedAsset
from loader.recovery.world import World

MISSING = "asset_missing"


@dataclass(frozen=True, slots=True)
class Source:
    """A declared path, the folders in which it is looked for, and where it may lead; `declaration`: of a file that is a
    record, what is declared of it."""

    declared_path: str
    folders: tuple[Path, ...]
    roots: tuple[Path, ...]
    declaration: str = ""

    def located(self) -> Path:
        """The real path; opens nothing. Raises AssetRefusedError as locate_in."""
        return locate_in(self.declared_path, self.folders, self.roots)


def planned_sources(world: World, manifests: Sequence[Manifest], *, is_hashed: bool) -> tuple[PlannedAsset, ...]:
    """Every declared asset, and what lies at its place now.

    `found` is the SHA-256 of the bytes if `is_hashed`, or if the file was written after it was registered; else the
    registered one while the size is the same (no byte is read), and `size <n>` otherwise. Where nothing can be read it
    is the gate's reason code. Bytes that another manifest brought are known by their SHA-256.
    """
    registered = _registered(world, [manifest.manifest_id for manifest in manifests])
    planned = []
    for manifest in manifests:
        roots = roots_of(world.settings, manifest)
        for asset in manifest.assets:
            known = registered.get((manifest.manifest_id, asset.source_id))
            planned.append(_planned(roots, manifest, asset, known, is_hashed))
    return _by_content(world, planned)


def _by_content(world: World, planned: Sequence[PlannedAsset]) -> tuple[PlannedAsset, ...]:
    """The assets, those that no entry knows by the bytes that another manifest of the kind brought."""
    if world.ruleset.landing.facts is not None:
        # What is declared of a record is part of it: other bytes, or other words, are another asset.
        return tuple(planned)
    unknown = [asset.found for asset in planned if asset.asset_id is None]
    world.cursor.execute(
        "select source_fingerprint, asset_id from ops.source_asset"
        " where source_fingerprint = any(%s) and record_kind = %s",
        (unknown, world.ruleset.contract_ref),
    )
    known = dict(world.cursor.fetchall())
    return tuple(
        replace(asset, asset_id=known[asset.found], source_fingerprint=asset.found)
        if asset.asset_id is None and asset.found in known
        else asset
        for asset in planned
    )


def roots_of(settings: Settings, manifest: Manifest) -> tuple[Path, ...]:
    """Where a manifest may read from."""
    return allowed_roots(settings.project_root, manifest.path, settings.allowed_roots)


def changed_assets(assets: Sequence[PlannedAsset]) -> frozenset[int]:
    """Registered assets whose source has other bytes now. One that is gone, or that cannot be read, has not changed:
    the gate says what it is."""
    return frozenset(asset.asset_id for asset in assets if asset.asset_id is not None and _has_changed(asset))


def _has_changed(asset: PlannedAsset) -> bool:
    found = asset.found or ""
    return found != asset.source_fingerprint and _is_there(found)


def _is_there(found: str) -> bool:
    """Whether bytes lie at a place, by what was found there: a SHA-256, or a size where only that was looked at."""
    return len(found) == 64 or found.startswith("size ")


def found_now(roots: tuple[Path, ...], manifest: Manifest, asset: Asset) -> str:
    """SHA-256 (hex) of the bytes at an asset's place, or the reason code for which the gate would not read them."""
    digest = hashlib.sha256()
    try:
        with open_within(located(manifest, asset.source_url_or_path, roots), roots) as file:
            for chunk in read_chunks(file):
                digest.update(chunk)
    except AssetRefusedError as error:
        return error.reason_code
    return digest.hexdigest()


Known = tuple[int, str, int, datetime]


def _registered(world: World, manifest_ids: Sequence[str]) -> Mapping[tuple[str, str], Known]:
    """asset_id, fingerprint, size in bytes and time of registration of each entry that has bytes."""
    world.cursor.execute(
        "select entry.manifest_id, entry.source_id, asset.asset_id, asset.source_fingerprint, asset.size_bytes,"
        " asset.registered_at"
        " from ops.manifest_asset as entry inner join ops.source_asset as asset on asset.asset_id = entry.asset_id"
        " where entry.manifest_id = any(%s)",
        (list(manifest_ids),),
    )
    return {(manifest_id, source_id): tuple(known) for manifest_id, source_id, *known in world.cursor.fetchall()}


def _planned(
    roots: tuple[Path, ...], manifest: Manifest, asset: Asset, known: Known | None, is_hashed: bool
) -> PlannedAsset:
    asset_id, fingerprint, size = known[:3] if known else (None, None, None)
    if is_hashed or known is None:
        found = found_now(roots, manifest, asset)
    else:
        found = _same_or_size(roots, manifest, asset, known)
    return PlannedAsset(
        manifest.manifest_id,
        asset.source_id,
        asset_id,
        fingerprint,
        found,
        asset.size_bytes if size is None else size,
        "source" if _is_there(found) else "nowhere" if asset_id is None else "raw_zone",
    )


def _same_or_size(roots: tuple[Path, ...], manifest: Manifest, asset: Asset, known: Known) -> str:
    _, fingerprint, size, registered_at = known
    try:
        now = located(manifest, asset.source_url_or_path, roots).stat()
    except AssetRefusedError as error:
        return error.reason_code
    except OSError:
        return MISSING
    if now.st_size != size:
        return f"size {now.st_size}"
    return fingerprint if now.st_mtime <= registered_at.timestamp() else found_now(roots, manifest, asset)
