"""The judgement of one asset: what was found, what the manifest's policy says to it, and where that leads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from loader.facts import Facts, FactsDefect
from loader.gate.inspection import Inspection
from loader.kinds import Kind, Landing, contradicted, framed
from loader.manifest import UNKNOWN_LICENSE, Asset, JudgementWord, Manifest
from loader.reader import Framed

Disposition = Literal["admitted", "withheld", "missing", "not_available"]
Outcome = Literal["success", "skip", "fail"]

# Metadata that an export must carry to be called complete; fewer is metadata_partial.
REQUIRED_METADATA = ("exported_at", "owner", "schema_version")

_SEVERITY: dict[JudgementWord, int] = {"accept": 0, "warn": 1, "quarantine": 2, "reject": 3}
_OUTCOMES: dict[Disposition, Outcome] = {
    "admitted": "success",
    "not_available": "skip",
    "withheld": "fail",
    "missing": "fail",
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


@dataclass(frozen=True, slots=True)
class Judgement:
    """The worst of the findings, which are sorted by their code; none is there exactly for `accept`."""

    judgement: JudgementWord
    disposition: Disposition
    findings: tuple[AssetFinding, ...] = ()

    @property
    def reason_codes(self) -> tuple[str, ...]:
        """Sorted and unique."""
        return tuple(dict.fromkeys(one.reason_code for one in self.findings))


@dataclass(frozen=True, slots=True)
class AssetJudgement:
    """An asset with its judgement. `path` (real path) is None when it may not be read, `inspection` when it
    was not; `facts`: of a file that is a record, or why it has none.
    """

    asset: Asset
    judgement: Judgement
    inspection: Inspection | None
    path: Path | None
    facts: Facts | FactsDefect | None = None

    @property
    def outcome(self) -> Outcome:
        return _OUTCOMES[self.judgement.disposition]

    def framed(self, landing: Landing) -> Framed:
        """The file as its kind frames it; of one that may be read."""
        found = self.inspection
        assert self.path is not None and found is not None
        file = Framed(self.path, found.content_encoding, found.fingerprint)
        return file if landing.facts is None else framed(file, landing, self.asset.declaration, self.facts)


@dataclass(frozen=True, slots=True)
class GateReport:
    """A manifest with the judgement of each of its assets, in manifest order."""

    manifest: Manifest
    assets: tuple[AssetJudgement, ...]

    @property
    def outcome(self) -> Outcome:
        """fail when any asset fails, skip when all are skipped, else success."""
        outcomes = {judged.outcome for judged in self.assets}
        if "fail" in outcomes:
            return "fail"
        return "skip" if outcomes == {"skip"} else "success"

    @property
    def admitted_bytes(self) -> int:
        """Bytes, as delivered, of the assets that go on."""
        admitted = (judged for judged in self.assets if judged.judgement.disposition == "admitted")
        return sum(judged.inspection.size_bytes for judged in admitted if judged.inspection is not None)


def judge_asset(
    manifest: Manifest,
    asset: Asset,
    inspection: Inspection | None,
    facts: Facts | FactsDefect | None = None,
    *,
    refusal: AssetFinding | None = None,
) -> Judgement:
    """Judge an asset from its declaration and from what its bytes were found to be.

    `refusal` says why there is no inspection. The policy decides about what is declared; about the bytes
    nothing can be decided otherwise.
    """
    findings = [*_policy_findings(manifest, asset)]
    if isinstance(facts, Facts):
        findings += (
            AssetFinding("contract_mismatch", manifest.gate_policy.contract_mismatch, message)
            for message in contradicted(asset.metadata or {}, facts)
        )
    if inspection is not None:
        findings += _byte_findings(manifest, asset, inspection)
    else:
        findings.append(refusal or AssetFinding("asset_missing", "reject", "no file was found"))
    return judgement_of(findings, is_landed=manifest.kind.is_landed)


def judgement_of(findings: Sequence[AssetFinding], *, is_landed: bool = True) -> Judgement:
    """Combine findings: the worst judgement wins, accepted findings leave no reason."""
    counted = [one for one in findings if one.judgement != "accept"]
    words: list[JudgementWord] = ["accept", *(one.judgement for one in counted)]
    worst = max(words, key=_SEVERITY.__getitem__)
    disposition: Disposition = "admitted"
    if _SEVERITY[worst] >= _SEVERITY["quarantine"]:
        is_missing = any(one.reason_code == "asset_missing" for one in counted)
        disposition = "missing" if is_missing else "withheld"
    elif not is_landed:
        disposition = "not_available"
    return Judgement(worst, disposition, _sorted(counted))


def _sorted(findings: Iterable[AssetFinding]) -> tuple[AssetFinding, ...]:
    return tuple(sorted(findings, key=lambda one: one.reason_code))


def withhold(report: GateReport, source_id: str, reason_code: str, message: str) -> GateReport:
    """Return the report with one asset judged anew: rejected and withheld for a further reason.

    For what is found after the gate, as a source that changed. Raises KeyError for an asset it does not have.
    """
    if all(judged.asset.source_id != source_id for judged in report.assets):
        raise KeyError(source_id)
    assets = tuple(
        _withheld(judged, reason_code, message) if judged.asset.source_id == source_id else judged
        for judged in report.assets
    )
    return replace(report, assets=assets)


def _withheld(judged: AssetJudgement, reason_code: str, message: str) -> AssetJudgement:
    findings = _sorted((*judged.judgement.findings, AssetFinding(reason_code, "reject", message)))
    return replace(judged, judgement=Judgement("reject", "withheld", findings))


def _policy_findings(manifest: Manifest, asset: Asset) -> Iterator[AssetFinding]:
    policy = manifest.gate_policy
    if asset.checksum_sha256 is None:
        yield AssetFinding("checksum_missing", policy.checksum_missing, "no checksum is declared")
    metadata = asset.metadata
    if not metadata:
        yield AssetFinding("metadata_missing", policy.metadata_missing, "no metadata is declared")
    else:
        absent = [key for key in _required_metadata(manifest.kind) if not str(metadata.get(key) or "").strip()]
        if absent:
            yield AssetFinding("metadata_partial", policy.metadata_partial, f"metadata lacks {', '.join(absent)}")
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
    """What makes metadata whole: of a file that is a record, its day too."""
    if kind.framing == "lines" or kind.landing is None:
        return REQUIRED_METADATA
    return (*REQUIRED_METADATA, kind.landing.roles.partition)


def _byte_findings(manifest: Manifest, asset: Asset, inspection: Inspection) -> Iterator[AssetFinding]:
    declared = asset.checksum_sha256
    if declared is not None and declared != inspection.fingerprint:
        yield AssetFinding(
            "checksum_mismatch",
            "reject",
            f"the bytes have SHA-256 {inspection.fingerprint}, declared is {declared}",
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


def _described(inspection: Inspection) -> str:
    return "gzip" if inspection.content_encoding == "gzip" else "not gzip"
