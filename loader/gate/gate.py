"""Opens what a manifest declares, looks at the bytes once, and judges each asset by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from loader.gate.inspection import Inspection, inspect_file
from loader.gate.judgement import AssetJudgement, Finding, GateReport, judge_asset
from loader.gate.location import AssetRefusedError, allowed_roots, locate, open_within, refuse_scheme
from loader.manifest import Asset, Manifest


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
    refusal: Finding | None = None
    try:
        refuse_scheme(manifest.root or "")
        path = locate(asset.source_url_or_path, base_folder(manifest), roots)
        with open_within(path, roots) as file:
            inspection = inspect_file(file, path)
    except AssetRefusedError as error:
        refusal = Finding(error.reason_code, "reject", error.message, error.folder)
    judgement = judge_asset(manifest, asset, inspection, refusal=refusal)
    return AssetJudgement(asset, judgement, inspection, path)


def base_folder(manifest: Manifest) -> Path:
    """Return the folder that the manifest's paths resolve against: its `root`, else its own folder."""
    return manifest.path.parent / (manifest.root or "")
