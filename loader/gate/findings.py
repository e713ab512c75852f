"""What is found of one asset: what is said of it against the manifest's policy, and against its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loader.gate.inspection import Inspection
from loader.kinds import Kind
from loader.manifest import DAY_ASSUMED, MODE_NOT_LANDED, UNKNOWN_LICENSE, Asset, JudgementWord, Manifest

# Metadata that an export must carry to be called complete; fewer is metadata_partial.
REQUIRED_METADATA = ("exported_at", "owner", "schema_version")

# What was found when an entry was translated, as a sentence each.
_NOTES = {
    DAY_ASSUMED: "no instant of it is declared; the day on which the manifest was made stands for it",
    MODE_NOT_LANDED: "the load_mode of its manifest does not land here; the file stays where it is",
}
# The file name ends so only if the bytes are encoded so; other endings say nothing.
_ENCODING_OF_SUFFIX = {".gz": "gzip", ".jsonl": "identity", ".ndjson": "identity", ".json": "identity"}


@dataclass(frozen=True, slots=True)
class AssetFinding:
    """One fact about an asset and how it is judged; `message` is a sentence for the operator.

    `folder`: of a path outside the allowed roots, the folder that is to be allowed if what lies there are exports.
    """

    reason_code: str
    judgement: JudgementWord
    message: str
    folder: Path | None = None


def policy_findings(manifest: Manifest, asset: Asset) -> Iterator[AssetFinding]:
    policy = manifest.gate_policy
    for note in asset.notes:
        if note in _NOTES:
            yield AssetFinding(note, "warn", _NOTES[note])
    # Nobody declares the bytes of a sidecar: what is found beside its file is it.
    if asset.checksum_sha256 is None and asset.beside is None:
        yield AssetFinding("checksum_missing", policy.checksum_missing, "no checksum is declared")
    metadata = asset.metadata
    if not metadata:
        yield AssetFinding("metadata_missing", policy.metadata_missing, "no metadata is declared")
    else:
        absent = [key for key in _required_metadata(manifest.kind) if not str(metadata.get(key) or "").strip()]
        if asset.metadata_status == "missing":
            yield AssetFinding(
                "metadata_missing", policy.metadata_missing, "the source says that its metadata is missing"
            )
        elif absent:
            yield AssetFinding("metadata_partial", policy.metadata_partial, f"metadata lacks {', '.join(absent)}")
        elif asset.metadata_status == "partial":
            yield AssetFinding(
                "metadata_partial", policy.metadata_partial, "the source says that its metadata is partial"
            )
        version, expected = metadata.get("schema_version"), manifest.contract_ref
        if "schema_version" not in absent and version != expected:
            yield AssetFinding(
                "contract_mismatch",
                policy.contract_mismatch,
                f"metadata says schema_version {version!r}, the manifest's contract is {expected}",
            )
    if asset.pii_scan_status == "not_run":
        yield AssetFinding("pii_scan_not_run", policy.pii_scan_not_run, "no PII scan was run")
    if asset.pii_scan_status == "suspected":
        yield AssetFinding("pii_suspected", policy.pii_suspected, "the PII scan suspects personal data")
    if asset.license.strip().lower() in ("", UNKNOWN_LICENSE):
        yield AssetFinding("license_unknown", policy.license_unknown, "the license is unknown")


def _required_metadata(kind: Kind) -> tuple[str, ...]:
    """What makes metadata whole: of records that are composed, their day too, and what their asset is whole for."""
    if kind.landing is None or not kind.landing.is_composed:
        return REQUIRED_METADATA
    whole = () if kind.landing.whole is None else (kind.landing.whole.field,)
    return (*REQUIRED_METADATA, kind.landing.roles.partition, *whole)


def byte_findings(manifest: Manifest, asset: Asset, inspection: Inspection) -> Iterator[AssetFinding]:
    declared = asset.checksum_sha256
    if declared is not None and declared != inspection.fingerprint:
        yield AssetFinding(
            "checksum_mismatch",
            "reject",
            f"the bytes have SHA-256 {inspection.fingerprint}, declared is {_checksum(declared)}",
        )
    if asset.size_bytes is not None and asset.size_bytes != inspection.size_bytes:
        yield AssetFinding(
            "size_mismatch",
            "reject",
            f"the file has {inspection.size_bytes} bytes, declared are {asset.size_bytes}",
        )
    expected = "gzip" if asset.asset_type.endswith("_gz") else "identity"
    if inspection.content_encoding != expected:
        yield AssetFinding(
            "encoding_mismatch",
            "reject",
            f"the bytes are {_described(inspection)}, asset_type {asset.asset_type} says {expected}",
        )
    suffix = Path(asset.source_url_or_path).suffix.lower()
    by_name = _ENCODING_OF_SUFFIX.get(suffix, expected)
    if by_name not in (expected, inspection.content_encoding):
        yield AssetFinding(
            "encoding_mismatch",
            "reject",
            f"the bytes are {_described(inspection)}, the ending {suffix} says {by_name}",
        )
    if inspection.defect is not None:
        yield AssetFinding(inspection.defect, "reject", inspection.defect_message)
    elif inspection.content_bytes == 0 and manifest.kind.framing == "file":
        yield AssetFinding("empty_asset", "reject", "the file has no bytes, and it is to be a record")
    elif inspection.content_bytes == 0:
        yield AssetFinding("empty_asset", "warn", "the asset has no content, so it declares no line")


def _checksum(declared: str) -> str:
    is_placeholder = len(set(declared)) == 1
    return f"a placeholder of one repeated digit, {declared[0]!r}" if is_placeholder else declared


def _described(inspection: Inspection) -> str:
    return "gzip" if inspection.content_encoding == "gzip" else "not gzip"
