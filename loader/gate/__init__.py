"""The gate: what a manifest declares against what the bytes are, one judgement per asset."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from loader.bounds import ExpansionLimits
from loader.facts import Facts, FactsDefect, FactsReader
from loader.gate.findings import REQUIRED_METADATA, AssetFinding
from loader.gate.inspection import Inspection, KnownFacts, inspect, inspect_file, inspect_record
from loader.gate.judgement import (
    AssetJudgement,
    GateReport,
    Judgement,
    judge_asset,
    warned,
    withheld,
    withhold,
)
from loader.gate.location import (
    AssetRefusedError,
    allowed_roots,
    folders_above,
    locate,
    locate_in,
    open_within,
    read_manifest,
    refuse_scheme,
)
from loader.kinds import named_files
from loader.manifest import TYPE_NOT_READ, Asset, Manifest

__all__ = [
    "REQUIRED_METADATA",
    "AssetFinding",
    "AssetJudgement",
    "AssetRefusedError",
    "ExpansionLimits",
    "GateReport",
    "Inspection",
    "Judgement",
    "KnownFacts",
    "allowed_roots",
    "base_folder",
    "inspect",
    "inspect_file",
    "inspect_manifest",
    "inspect_record",
    "judge_asset",
    "locate",
    "locate_in",
    "located",
    "open_within",
    "read_manifest",
    "searched_folders",
    "unfound_files",
    "warned",
    "withheld",
    "withhold",
]


def inspect_manifest(
    manifest: Manifest,
    project_root: Path,
    extra_roots: Iterable[Path] = (),
    *,
    known_facts: KnownFacts | None = None,
    on_asset: Callable[[AssetJudgement], None] = lambda judged: None,
) -> GateReport:
    """Read every declared asset once and judge it; a bad one never stops its siblings. Writes nothing.

    Allowed roots are the project, the manifest's folder and `extra_roots`; the manifest's own `root` is not
    one of them. `known_facts`: of files that are records, by fingerprint and asset type; those of others are read.
    `on_asset` hears each judgement as it falls. Raises InfrastructureError only: a fault of the disk says nothing about
    an asset.
    """
    roots = allowed_roots(project_root, manifest.path, extra_roots)
    judged_assets = []
    with FactsReader() as reader:
        for asset in manifest.assets:
            judged = _judge(manifest, asset, roots, reader, known_facts or {})
            on_asset(judged)
            judged_assets.append(judged)
    return GateReport(manifest, tuple(judged_assets))


def _judge(
    manifest: Manifest,
    asset: Asset,
    roots: tuple[Path, ...],
    reader: FactsReader,
    known: KnownFacts,
) -> AssetJudgement:
    path: Path | None = None
    inspection: Inspection | None = None
    facts: Facts | FactsDefect | None = None
    refusal: AssetFinding | None = None
    landing = manifest.kind.landing
    try:
        if TYPE_NOT_READ in asset.notes:
            raise AssetRefusedError(
                TYPE_NOT_READ, f"nothing here reads asset_type {asset.asset_type!r} of {asset.source_url_or_path!r}"
            )
        refuse_scheme(manifest.root or "")
        path = located(manifest, asset.source_url_or_path, roots)
        with open_within(path, roots) as file:
            if landing is None or landing.facts is None:
                inspection = inspect_file(file, path, is_record=manifest.kind.framing == "file")
            else:
                inspection, facts = inspect_record(file, path, (landing.facts, asset.asset_type), reader, known)
    except AssetRefusedError as error:
        refusal = AssetFinding(error.reason_code, "reject", error.message, error.folder)
    judgement = judge_asset(manifest, asset, inspection, facts, refusal=refusal)
    return AssetJudgement(asset, judgement, inspection, path, facts)


def base_folder(manifest: Manifest) -> Path:
    """Return the folder that the manifest's paths resolve against: its `root`, else its own folder."""
    return manifest.path.parent / (manifest.root or "")


def located(manifest: Manifest, declared_path: str, roots: tuple[Path, ...]) -> Path:
    """The real path of a path that the manifest declares; opens nothing. Raises AssetRefusedError as locate_in."""
    return locate_in(declared_path, searched_folders(manifest, roots), roots)


def searched_folders(manifest: Manifest, roots: tuple[Path, ...]) -> tuple[Path, ...]:
    """The folders in which a declared path is looked for, in that order."""
    base = base_folder(manifest)
    return (base, *folders_above(base, roots)) if manifest.searches_parents else (base,)


def unfound_files(
    manifest: Manifest, asset: Asset, roots: tuple[Path, ...]
) -> Iterator[tuple[str, str, Path | None, AssetRefusedError]]:
    """The files beside an asset that its metadata name and that cannot be read where a declared file would be looked
    for: the field, the path as it is named and, where it may be read, as it is on this machine, and why not."""
    if manifest.kind.landing is None:
        return
    for field, named in named_files(manifest.kind.landing, asset.metadata or {}):
        path: Path | None = None
        try:
            path = located(manifest, named, roots)
            open_within(path, roots).close()
        except AssetRefusedError as error:
            yield field, named, path, error
