"""What brings back what a restored database has lost: a command for each hold, run and erasure, in that order."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from loader.advice.questions import NEW_MANIFEST, Advice, AdviceKind
from loader.config import Settings
from loader.errors import LoaderError
from loader.evidence import journal
from loader.gate import AssetRefusedError, allowed_roots, located
from loader.ingest import content_of_manifest
from loader.kinds import kind_option
from loader.manifest import Asset, Manifest, implicit_manifest, parse_manifests
from loader.printable import pasted
from loader.raw_zone import RawZone
from loader.recovery import World
from loader.release import known_kinds
from loader.warehouse import fetch_rows

_BATCH = re.compile(r"batch-[0-9]{8}-[0-9]{3,50}", re.ASCII)
_READ = ("parsed", "unchanged")

# Which of these files are in: read whole, with the lines of the window taken; after a limited run, read at all.
_IN = """
select asset.source_fingerprint
from ops.source_asset as asset
inner join ops.asset_reading as reading using (asset_id)
where asset.source_fingerprint = any(%(fingerprints)s)
    and (%(line_limit)s::bigint is not null or reading.is_complete and not exists (
        select from ops.asset_partition as part
        where part.asset_id = asset.asset_id and part.ruleset_id = reading.ruleset_id
            and part.taken_by_run_id is null and part.record_line_count > 0
            and part.partition_key >= coalesce(%(window_start)s::date, '-infinity')
            and part.partition_key < coalesce(%(window_end)s::date, 'infinity')))
"""

# Holds as they are, and whether anybody has decided on the day after the state that the database was put back to.
_HOLD = """
select exists (
        select from release.partition_hold
        where record_kind = coalesce(%(kind)s, record_kind) and partition_key = %(day)s)
    or exists (
        select from release.hold_change
        where record_kind = coalesce(%(kind)s, record_kind) and partition_key = %(day)s and change_id >= %(change_id)s)
"""

_ERASED = "select exists (select from ops.erasure where customer_hash = decode(%s, 'hex'))"


@dataclass(frozen=True, slots=True)
class Lost:
    """A lost entry, and its record as its file has it; None where that cannot be read."""

    entry: journal.Entry
    record: Mapping[str, Any] | None

    @property
    def fingerprints(self) -> list[str]:
        """The files that a lost run had read; none where it ended before, or its record is gone."""
        assets = (self.record or {}).get("assets", ())
        return sorted({asset["source_fingerprint"] for asset in assets if asset["action"] in _READ} - {None})

    @property
    def is_erasure(self) -> bool:
        return self.record is not None and "customer_hash" in self.record


def still_lost(world: World, each: Lost) -> frozenset[str]:
    """The files that a lost run had read and that are not in again: read whole, the days of its window taken."""
    if each.entry.run is None:
        return frozenset()
    found = fetch_rows(world.cursor, _IN, {**each.entry.run, "fingerprints": each.fingerprints})
    return frozenset(each.fingerprints) - {row["source_fingerprint"] for row in found}


def mending(world: World, lost: Sequence[Lost], missing: Mapping[str, Collection[str]]) -> Iterator[Advice]:
    """The commands, the first first; each works as it stands when those before it have been typed. `missing`: what is
    still lost of each run, by the path of its record."""
    yield from _holds(world, lost)
    runs = [each for each in lost if missing[each.entry.report_path]]
    of_all = [each for each in runs if (each.entry.run or {})["window_start"] is None]
    for group in ([of_all] if of_all else []) + [[each] for each in runs if each not in of_all]:
        yield _again(world, group, frozenset().union(*(missing[each.entry.report_path] for each in group)))
    yield from _erasures(world, lost)


def _holds(world: World, lost: Sequence[Lost]) -> Iterator[Advice]:
    """The last that was decided of each partition, where it was to be held and nobody has decided since. A record from
    before there were kinds says none."""
    first: dict[tuple[str, str], int] = {}
    last: dict[tuple[str, str], Mapping[str, Any]] = {}
    for each in lost:
        for row in (each.record or {}).get("holds", ()):
            partition = (row.get("record_kind", ""), row["partition_key"])
            first.setdefault(partition, row["change_id"])
            last[partition] = row
    kinds = known_kinds(world.cursor)
    for (kind, day), row in sorted(last.items()):
        world.cursor.execute(_HOLD, {"kind": kind or None, "day": day, "change_id": first[kind, day]})
        if row["is_held"] and not world.cursor.fetchone()[0]:
            of_kind = f" KIND={kind}" if kind and len(kinds) > 1 else ""
            hold = f"make hold PARTITION={day}{of_kind} REASON={pasted(row['reason'])}"
            yield Advice(AdviceKind.RECALL, hold, "as before the restore")


def _again(world: World, group: Sequence[Lost], missing: Collection[str]) -> Advice:
    """What reads these files again: their manifests; where a file is gone, the archive has it."""
    runs = [each.entry.run for each in group if each.entry.run is not None]
    # Several manifests may come from one file.
    declared = {each["manifest_id"]: each for run in runs for each in run["declared_manifests"]}
    known = {each: _manifest(world.settings, said, runs[0]) for each, said in declared.items()}
    manifests = {each: manifest for each, manifest in known.items() if manifest is not None}
    there = [each for each, manifest in manifests.items() if _has_any(world.settings, manifest, missing)]
    written = sorted({declared[each]["manifest_path"] for each in there if not declared[each]["is_implicit"]})
    if written:
        days = _day_of(runs[0]) if len(runs) == 1 else ""
        return _read_again(f"make ingest{days} MANIFEST={pasted(','.join(written))}")
    if there:
        of_kind = kind_option(world.contracts, manifests[there[0]].contract_ref)
        limit = "" if runs[0]["line_limit"] is None else f" LIMIT={runs[0]['line_limit']}"
        path = declared[there[0]]["manifest_path"]
        return _read_again(f"make ingest INPUT={pasted(path)} BATCH={runs[0]['batch_id']}{of_kind}{limit}")
    return _from_raw_zone(world.settings, manifests.values(), missing, runs[0])


def _read_again(command: str, why: str = "reads again what is lost") -> Advice:
    return Advice(AdviceKind.RECALL, command, why)


def _manifest(settings: Settings, declared: Mapping[str, Any], run: Mapping[str, Any]) -> Manifest | None:
    """A manifest, or that of an ad-hoc file, as a lost run read it; None where it is gone or has other bytes now."""
    path, contracts = Path(declared["manifest_path"]), settings.project_root / "contracts"
    try:
        if declared["is_implicit"]:
            manifest = implicit_manifest(path, str(run["batch_id"]), contracts, run.get("record_kind"))
        else:
            found = parse_manifests(content_of_manifest(settings, path), path, contracts)
            manifest = next((each for each in found if each.manifest_id == declared["manifest_id"]), found[0])
    except (OSError, AssetRefusedError, LoaderError):
        return None
    return manifest if manifest.sha256 == declared["manifest_sha256"] else None


def _has_any(settings: Settings, manifest: Manifest, missing: Collection[str]) -> bool:
    """Whether one of the files is where the manifest says, as long as it says; its bytes are not read."""
    return any(
        path.is_file() and asset.size_bytes in (None, path.stat().st_size)
        for asset, path in _located(settings, manifest)
        if asset.checksum_sha256 is None or asset.checksum_sha256 in missing
    )


def _located(settings: Settings, manifest: Manifest) -> Iterator[tuple[Asset, Path]]:
    roots = allowed_roots(settings.project_root, manifest.path, settings.allowed_roots)
    for asset in manifest.assets:
        try:
            yield asset, located(manifest, asset.source_url_or_path, roots)
        except AssetRefusedError:
            continue


def _day_of(run: Mapping[str, Any]) -> str:
    """The one day that a run was asked for; a window of several is read whole."""
    if run["window_start"] is None:
        return ""
    start, end = date.fromisoformat(run["window_start"]), date.fromisoformat(run["window_end"])
    return f" PARTITION={start}" if (end - start).days == 1 else ""


def _from_raw_zone(
    settings: Settings, manifests: Collection[Manifest], missing: Collection[str], run: Mapping[str, Any]
) -> Advice:
    """The archive names objects by what they hold, and has forgotten nothing: a file goes back to where its manifest
    looks for it; without a manifest it is read as it lies there."""
    raw_zone = RawZone(settings.raw_zone)
    batch = run["batch_id"] if _BATCH.fullmatch(str(run["batch_id"])) else "batch-<day as YYYYMMDD>-001"
    # A record from before there were kinds says none.
    of_kind = kind_option(settings.project_root / "contracts", run.get("record_kind"))
    places = {
        asset.checksum_sha256: path
        for manifest in manifests
        if not manifest.is_implicit
        for asset, path in _located(settings, manifest)
        if not path.exists()
    }
    for fingerprint in sorted(missing):
        for key in (raw_zone.key_of(fingerprint, "identity"), raw_zone.key_of(fingerprint, "gzip")):
            if not raw_zone.has(key):
                continue
            archived = pasted(settings.named(raw_zone.path_of(key)))
            if fingerprint in places:
                place = places[fingerprint]
                folder = "" if place.parent.is_dir() else f"mkdir -p {pasted(place.parent)} && "
                return _read_again(f"{folder}cp {archived} {pasted(place)}", "the file is gone; then make diagnose")
            return _read_again(
                f"make ingest INPUT={archived} BATCH={batch}{of_kind}", "from the raw zone: its manifest is gone"
            )
    return NEW_MANIFEST


def erase_again(reason: str) -> Advice:
    """The erasure of a person, whom somebody names; `reason`: as a shell takes it."""
    return Advice(AdviceKind.ERASE, f"make erase PERSON='<the same person>' REASON={reason} MODE=execute")


def _erasures(world: World, lost: Sequence[Lost]) -> Iterator[Advice]:
    for each in lost:
        if each.record is not None and each.is_erasure:
            world.cursor.execute(_ERASED, (each.record["customer_hash"],))
            if not world.cursor.fetchone()[0]:
                reason = pasted(each.record["reason"])
                yield erase_again(reason)
