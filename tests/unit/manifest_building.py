"""What the tests of made manifests share: a build with plain terms, and what the gate says to the result."""

from __future__ import annotations

from pathlib import Path

from loader.gate import GateReport
from loader.manifest.build import BatchTerms, BuiltManifest, build_manifest

ROOT = Path(__file__).resolve().parents[2]
DAY = "tickets-2026-04-17.jsonl"
LINE = b'{"a":1}\n'
OWNED = BatchTerms(owner="desk", license="CC0-1.0", pii_scan_status="clean", order="name")


def folder_of_one_export(tmp_path: Path) -> Path:
    folder = tmp_path / "exports"
    folder.mkdir()
    (folder / DAY).write_bytes(LINE)
    return folder


def build(folder: Path, out: Path | None = None, terms: BatchTerms = OWNED) -> BuiltManifest:
    """With the manifest beside the data's folder, unless said otherwise: outside the project, and allowed."""
    return build_manifest(folder, out or folder.parent / "m.json", project_root=ROOT, terms=terms)


def source_ids(built: BuiltManifest) -> list[str]:
    return [asset.source_id for asset in built.manifest.assets]


def ignored(built: BuiltManifest) -> dict[str, str]:
    return {file.name: file.reason for file in built.ignored}


def judged(report: GateReport) -> dict[str, tuple[str, tuple[str, ...]]]:
    return {one.asset.source_id: (one.judgement.disposition, one.judgement.reason_codes) for one in report.assets}
