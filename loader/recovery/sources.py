"""Sources as they lie there now, beside what was registered of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from loader.config import Settings
from loader.gate import AssetRefusedError, allowed_roots, base_folder, locate, open_within
from loader.kinds import Ruleset
from loader.manifest import Asset, Manifest
from loader.raw_zone import RawZone
from loader.reader import read_chunks
from loader.recovery.plan import PlannedAsset
from loader.recovery.world import Unread, World
from loader.runs import RegisteredAsset

MISSING = "asset_missing"
# Day -> (records, rejects), in one file.
Days = dict[date, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Source:
    """A declared path, the folder that it is relative to, and where it may lead."""

    declared_path: str
    base_folder: Path
    roots: tuple[Path, ...]

    def located(self) -> Path:
        """The real path; opens nothing. Raises AssetRefusedError as locate."""
        return locate(self.declared_path, self.base_folder, self.roots)


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
        with open_within(locate(asset.source_url_or_path, base_folder(manifest), roots), roots) as file:
            for chunk in read_chunks(file):
                digest.update(chunk)
    except AssetRefusedError as error:
        return error.reason_code
    return digest.hexdigest()


def with_days(
    world: World,
    assets: Sequence[PlannedAsset],
    places: Mapping[tuple[str, str], Source],
    earlier: Mapping[str, Any] | None,
) -> tuple[tuple[PlannedAsset, ...], Unread]:
    """The assets with the days of their lines; and records, rejects and assets by day of those that no run has indexed
    whole: these are read once, at the place of their entry (manifest_id, source_id).

    `earlier`: a plan (its record) that has read them already; the same bytes under the same ruleset are not read again.
    What cannot be read counts nothing; the gate will say why.
    """
    indexed = _indexed_days(world)
    known = _read_for(earlier, world.ruleset)

    def is_due(asset: PlannedAsset) -> bool:
        return (
            asset.asset_id not in indexed
            and (asset.manifest_id, asset.source_id) in places
            and asset.reads_from != "nowhere"
        )

    due = {asset.found: places[asset.manifest_id, asset.source_id] for asset in assets if is_due(asset) and asset.found}
    known |= _counted(world, {found: place for found, place in due.items() if found not in known})
    unread: dict[date, tuple[int, int, int]] = {}
    dated = []
    counted = set()
    for asset in assets:
        if asset.asset_id in indexed:
            dated.append(_dated(asset, indexed[asset.asset_id], None))
        elif not is_due(asset):
            dated.append(asset)
        else:
            assert asset.found is not None
            days = known[asset.found]
            dated.append(_dated(asset, (min(days, default=None), max(days, default=None)), days))
            for day, (records, rejects) in days.items() if asset.found not in counted else ():
                so_far = unread.get(day, (0, 0, 0))
                unread[day] = (so_far[0] + records, so_far[1] + rejects, so_far[2] + 1)
            counted.add(asset.found)
    return tuple(dated), unread


def declared_places(world: World, manifests: Sequence[Manifest]) -> dict[tuple[str, str], Source]:
    """Where the declared assets of kinds that land lie."""
    return {
        (manifest.manifest_id, asset.source_id): Source(
            asset.source_url_or_path, base_folder(manifest), roots_of(world.settings, manifest)
        )
        for manifest in manifests
        if manifest.is_landed
        for asset in manifest.assets
    }


def archived_places(world: World, entries: Sequence[RegisteredAsset]) -> dict[tuple[str, str], Source]:
    """Where the bytes of recorded entries lie in the raw zone."""
    folder = world.settings.raw_zone
    return {
        (entry.manifest_id, entry.source_id): Source(
            str(RawZone(folder).path_of(entry.raw_zone_key)), folder, (folder.resolve(),)
        )
        for entry in entries
        if entry.raw_zone_key
    }


def _counted(world: World, due: Mapping[str, Source]) -> dict[str, Days]:
    """Days by fingerprint, counted now."""
    if not due:
        return {}
    # What reads and judges is imported where it is needed: planning takes a fraction of a second.
    from loader.recovery.counting import counted_days

    settings = world.settings
    found = counted_days(list(due.values()), world.ruleset, settings.project_root / "contracts", settings.workers)
    return dict(zip(due, found, strict=True))


def _read_for(plan: Mapping[str, Any] | None, ruleset: Ruleset) -> dict[str, Days]:
    """Days by fingerprint, as a plan under the same ruleset has them."""
    if plan is None or plan["ruleset_sha256"] != ruleset.sha256:
        return {}
    return {
        asset["found"]: {date.fromisoformat(day): (counts[0], counts[1]) for day, counts in days.items()}
        for asset in plan["assets"]
        if (days := asset["unindexed_days"]) is not None
    }


def _dated(asset: PlannedAsset, reach: tuple[date | None, date | None], days: Days | None) -> PlannedAsset:
    first, last = reach
    return replace(
        asset,
        first_partition=first.isoformat() if first else None,
        last_partition=last.isoformat() if last else None,
        unindexed_days=None if days is None else {day.isoformat(): days[day] for day in sorted(days)},
    )


def _indexed_days(world: World) -> dict[int | None, tuple[date | None, date | None]]:
    """First and last day of every asset that has been indexed whole, under whatever ruleset."""
    world.cursor.execute(
        "select indexed.asset_id, min(part.partition_key), max(part.partition_key) from ops.asset_index as indexed"
        " left join ops.asset_partition as part using (asset_id, ruleset_id)"
        " where indexed.is_complete group by indexed.asset_id"
    )
    return {asset_id: (first, last) for asset_id, first, last in world.cursor.fetchall()}


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
        now = locate(asset.source_url_or_path, base_folder(manifest), roots).stat()
    except AssetRefusedError as error:
        return error.reason_code
    except OSError:
        return MISSING
    if now.st_size != size:
        return f"size {now.st_size}"
    return fingerprint if now.st_mtime <= registered_at.timestamp() else found_now(roots, manifest, asset)
