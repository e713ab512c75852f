"""The gate: what a manifest declares against what the bytes are, one judgement per asset."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from loader.bounds import ExpansionLimits
from loader.gate.inspection import Inspection, inspect, inspect_file
from loader.gate.judgement import (
    REQUIRED_METADATA,
    AssetFinding,
    AssetJudgement,
    GateReport,
    Judgement,
    judge_asset,
    withhold,
)
from loader.gate.location import AssetRefusedError, allowed_roots, locate, open_within, read_manifest, refuse_scheme
from loader.manifest import Asset, Manifest

__all__ = [
    "REQUIRED_METADATA",
    "AssetFinding",
    "AssetJudgement",
    "AssetRefusedError",
    "ExpansionLimits",
    "GateReport",
    "Inspection",
    "Judgement",
    "allowed_roots",
    "base_folder",
    "inspect",
    "inspect_file",
    "inspect_manifest",
    "judge_asset",
    "locate",
    "open_within",
    "read_manifest",
    "withhold",
]


def inspect_manifest(
    manifest: Manifest,
    project_root: Path,
    extra_roots: Iterable[Path] = (),
    *,
    on_asset: Callable[[AssetJudgement], None] = lambda judged: None,
) -> GateReport:
    """Read every declared asset once and judge it; a bad one never stops its siblings. Writes nothing.

    Allowed roots are the project, the manifest's folder and `extra_roots`; the manifest's own `root` is not
    one of them. `on_asset` hears each judgement as it falls. Raises InfrastructureError only: a fault of the
    disk says nothing about an asset.
    """
    roots = allowed_roots(project_root, manifest.path, extra_roots)
    judged_assets = []
    for asset in manifest.assets:
        judged = _judge(manifest, asset, roots)
        on_asset(judged)
        judged_assets.append(judged)
    return GateReport(manifest, tuple(judged_assets))


def _judge(manifest: Manifest, asset: Asset, roots: tuple[Path, ...]) -> AssetJudgement:
    path: Path | None = None
    inspection: Inspection | None = None
    refusal: AssetFinding | None = None
    try:
        refuse_scheme(manifest.root or "")
        path = locate(asset.source_url_or_path, base_folder(manifest), roots)
        with open_within(path, roots) as file:
            inspection = inspect_file(file, path)
    except AssetRefusedError as error:
        refusal = AssetFinding(error.reason_code, "reject", error.message, error.folder)
    judgement = judge_asset(manifest, asset, inspection, refusal=refusal)
    return AssetJudgement(asset, judgement, inspection, path)


def base_folder(manifest: Manifest) -> Path:
    """Return the folder that the manifest's paths resolve against: its `root`, else its own folder."""
    return manifest.path.parent / (manifest.root or "")
