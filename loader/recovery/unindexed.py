"""Days of the lines of files that no run has indexed: counted once for a plan, from what lies at their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from loader.gate import searched_folders
from loader.kinds import Ruleset
from loader.manifest import Manifest
from loader.raw_zone import RawZone
from loader.recovery.gaps import Unread
from loader.recovery.plan import PlannedAsset
from loader.recovery.sources import Source, roots_of
from loader.recovery.world import World
from loader.runs import RegisteredAsset

# Day -> (records, rejects), in one file.
Days = dict[date, tuple[int, int]]


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

    def content(asset: PlannedAsset) -> tuple[str, str]:
        """What it is read from: its bytes, and what is declared of them where they are a record."""
        assert asset.found is not None
        return asset.found, places[asset.manifest_id, asset.source_id].declaration

    due = {
        content(asset): places[asset.manifest_id, asset.source_id] for asset in assets if is_due(asset) and asset.found
    }
    known |= _counted(world, {each: place for each, place in due.items() if each not in known})
    unread: dict[date, tuple[int, int, int]] = {}
    dated = []
    counted = set()
    for asset in assets:
        if asset.asset_id in indexed:
            dated.append(_dated(asset, indexed[asset.asset_id], None))
        elif not is_due(asset):
            dated.append(asset)
        else:
            days = known[content(asset)]
            dated.append(_dated(asset, (min(days, default=None), max(days, default=None)), days))
            for day, (records, rejects) in days.items() if content(asset) not in counted else ():
                so_far = unread.get(day, (0, 0, 0))
                unread[day] = (so_far[0] + records, so_far[1] + rejects, so_far[2] + 1)
            counted.add(content(asset))
    return tuple(dated), unread


def declared_places(world: World, manifests: Sequence[Manifest]) -> dict[tuple[str, str], Source]:
    """Where the declared assets of kinds that land lie."""
    return {
        (manifest.manifest_id, asset.source_id): Source(
            asset.source_url_or_path,
            searched_folders(manifest, roots_of(world.settings, manifest)),
            roots_of(world.settings, manifest),
            asset.declaration,
        )
        for manifest in manifests
        if manifest.kind.is_landed
        for asset in manifest.assets
    }


def archived_places(world: World, entries: Sequence[RegisteredAsset]) -> dict[tuple[str, str], Source]:
    """Where the bytes of recorded entries lie in the raw zone."""
    folder = world.settings.raw_zone
    return {
        (entry.manifest_id, entry.source_id): Source(
            str(RawZone(folder).path_of(entry.raw_zone_key)), (folder,), (folder.resolve(),), entry.declaration
        )
        for entry in entries
        if entry.raw_zone_key
    }


def _counted(world: World, due: Mapping[tuple[str, str], Source]) -> dict[tuple[str, str], Days]:
    """Days by content, counted now."""
    if not due:
        return {}
    # What reads and judges is imported where it is needed: planning takes a fraction of a second.
    from loader.recovery.counting import counted_days

    settings = world.settings
    found = counted_days(list(due.values()), world.ruleset, settings.project_root / "contracts", settings.workers)
    return dict(zip(due, found, strict=True))


def _read_for(plan: Mapping[str, Any] | None, ruleset: Ruleset) -> dict[tuple[str, str], Days]:
    """Days by content, as a plan under the same ruleset has them; it does not say what was declared of a record."""
    if plan is None or plan["ruleset_sha256"] != ruleset.sha256 or ruleset.landing.facts is not None:
        return {}
    return {
        (asset["found"], ""): {date.fromisoformat(day): (counts[0], counts[1]) for day, counts in days.items()}
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
