"""Sources as they lie there now, beside what was registered of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from loader.bronze import judged_lines
from loader.config import Settings
from loader.contract.ruleset import Ruleset
from loader.contract.ticket import AcceptedRecord
from loader.errors import CheckFailedError
from loader.gate import AssetRefusedError, allowed_roots, base_folder, inspect, locate, open_within
from loader.manifest import Asset, Manifest
from loader.reader.regular_file import read_chunks
from loader.recovery.plan import PlannedAsset
from loader.recovery.world import World

MISSING = "asset_missing"


def planned_sources(world: World, manifests: Sequence[Manifest], *, is_hashed: bool) -> tuple[PlannedAsset, ...]:
    """Every declared asset, and what lies at its place now.

    `found` is the SHA-256 of the bytes if `is_hashed`; else the registered one while the size is the same (no byte is
    read), and `size <n>` otherwise. Where nothing can be read it is the gate's reason code.
    """
    registered = _registered(world, [manifest.manifest_id for manifest in manifests])
    return tuple(
        _planned(world.settings, manifest, asset, registered.get((manifest.manifest_id, asset.source_id)), is_hashed)
        for manifest in manifests
        for asset in manifest.assets
    )


def changed_assets(assets: Sequence[PlannedAsset]) -> frozenset[int]:
    """Registered assets whose source has other bytes now; one that is gone is read from the raw zone."""
    return frozenset(
        asset.asset_id
        for asset in assets
        if asset.asset_id is not None and asset.found not in (asset.source_fingerprint, MISSING)
    )


def found_now(settings: Settings, manifest: Manifest, asset: Asset) -> str:
    """SHA-256 (hex) of the bytes at an asset's place, or the reason code for which the gate would not read them."""
    roots = allowed_roots(settings.project_root, manifest.path, settings.allowed_roots)
    digest = hashlib.sha256()
    try:
        with open_within(locate(asset.source_url_or_path, base_folder(manifest), roots), roots) as file:
            for chunk in read_chunks(file):
                digest.update(chunk)
    except AssetRefusedError as error:
        return error.reason_code
    return digest.hexdigest()


def with_days(
    world: World, manifests: Sequence[Manifest], assets: Sequence[PlannedAsset]
) -> tuple[tuple[PlannedAsset, ...], dict[date, tuple[int, int, int]]]:
    """The assets with the days of their lines; and records, rejects and assets by day of those that no run has indexed:
    these are read, once.

    A source that cannot be read counts nothing; the gate will say why.
    """
    indexed = _indexed_days(world)
    declared = {
        (manifest.manifest_id, asset.source_id): (manifest, asset)
        for manifest in manifests
        for asset in manifest.assets
        if manifest.is_landed
    }
    unread: dict[date, tuple[int, int, int]] = {}
    seen = set()
    dated = []
    for asset in assets:
        key = (asset.manifest_id, asset.source_id)
        if asset.asset_id in indexed:
            first, last = indexed[asset.asset_id]
        elif key in declared and asset.reads_from == "source":
            records, rejects = _days(world.settings, *declared[key], world.ruleset)
            days = records.keys() | rejects.keys()
            first, last = min(days, default=None), max(days, default=None)
            for day in days if asset.found not in seen else ():
                known = unread.get(day, (0, 0, 0))
                unread[day] = (known[0] + records[day], known[1] + rejects[day], known[2] + 1)
            seen.add(asset.found)
        else:
            first = last = None
        dated.append(
            replace(
                asset,
                first_partition=first.isoformat() if first else None,
                last_partition=last.isoformat() if last else None,
            )
        )
    return tuple(dated), unread


def _days(
    settings: Settings, manifest: Manifest, asset: Asset, ruleset: Ruleset
) -> tuple[Counter[date], Counter[date]]:
    records: Counter[date] = Counter()
    rejects: Counter[date] = Counter()
    roots = allowed_roots(settings.project_root, manifest.path, settings.allowed_roots)
    try:
        path = locate(asset.source_url_or_path, base_folder(manifest), roots)
        open_within(path, roots).close()
        found = inspect(path)
        if found.defect is not None:
            return records, rejects
        for _, judged in judged_lines(path, found.content_encoding, found.fingerprint, ruleset):
            if isinstance(judged, AcceptedRecord):
                records[judged.partition_key] += 1
            elif judged is not None and judged.partition_key is not None:
                rejects[judged.partition_key] += 1
    except (AssetRefusedError, CheckFailedError):
        pass
    return records, rejects


def _indexed_days(world: World) -> dict[int | None, tuple[date | None, date | None]]:
    """First and last day of every asset that has been indexed, under whatever ruleset."""
    world.cursor.execute(
        "select indexed.asset_id, min(part.partition_key), max(part.partition_key) from ops.asset_index as indexed"
        " left join ops.asset_partition as part using (asset_id, ruleset_id) group by indexed.asset_id"
    )
    return {asset_id: (first, last) for asset_id, first, last in world.cursor.fetchall()}


def _registered(world: World, manifest_ids: Sequence[str]) -> Mapping[tuple[str, str], tuple[int, str, int]]:
    world.cursor.execute(
        "select entry.manifest_id, entry.source_id, asset.asset_id, asset.source_fingerprint, asset.size_bytes"
        " from ops.manifest_asset as entry inner join ops.source_asset as asset on asset.asset_id = entry.asset_id"
        " where entry.manifest_id = any(%s)",
        (list(manifest_ids),),
    )
    return {(manifest_id, source_id): tuple(known) for manifest_id, source_id, *known in world.cursor.fetchall()}


def _planned(
    settings: Settings, manifest: Manifest, asset: Asset, known: tuple[int, str, int] | None, is_hashed: bool
) -> PlannedAsset:
    asset_id, fingerprint, size = known or (None, None, None)
    if is_hashed or fingerprint is None or size is None:
        found = found_now(settings, manifest, asset)
    else:
        found = _same_or_size(settings, manifest, asset, fingerprint, size)
    is_there = len(found) == 64 or found.startswith("size ")
    return PlannedAsset(
        manifest.manifest_id,
        asset.source_id,
        asset_id,
        fingerprint,
        found,
        asset.size_bytes if size is None else size,
        "source" if is_there else "nowhere" if asset_id is None else "raw_zone",
    )


def _same_or_size(settings: Settings, manifest: Manifest, asset: Asset, fingerprint: str, size: int) -> str:
    roots = allowed_roots(settings.project_root, manifest.path, settings.allowed_roots)
    try:
        now = locate(asset.source_url_or_path, base_folder(manifest), roots).stat().st_size
    except AssetRefusedError as error:
        return error.reason_code
    except OSError:
        return MISSING
    return fingerprint if now == size else f"size {now}"
