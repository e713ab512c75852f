"""The judgement of one asset: what was found, what the manifest's policy says to it, and where that leads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from loader.facts import Facts, FactsDefect
from loader.gate.findings import AssetFinding, byte_findings, policy_findings
from loader.gate.inspection import Inspection
from loader.kinds import Landing, contradicted, framed
from loader.manifest import MODE_NOT_LANDED, Asset, JudgementWord, Manifest
from loader.reader import Framed

Disposition = Literal["admitted", "withheld", "missing", "not_available"]
Outcome = Literal["success", "skip", "fail"]

_SEVERITY: dict[JudgementWord, int] = {"accept": 0, "warn": 1, "quarantine": 2, "reject": 3}
_OUTCOMES: dict[Disposition, Outcome] = {
    "admitted": "success",
    "not_available": "skip",
    "withheld": "fail",
    "missing": "fail",
}


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
        return framed(file, landing, self.asset.declaration, self.facts)


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
    findings = [*policy_findings(manifest, asset)]
    if isinstance(facts, Facts):
        findings += (
            AssetFinding("contract_mismatch", manifest.gate_policy.contract_mismatch, message)
            for message in contradicted(asset.metadata or {}, facts)
        )
    if inspection is not None:
        findings += byte_findings(manifest, asset, inspection)
    else:
        findings.append(refusal or AssetFinding("asset_missing", "reject", "no file was found"))
    return judgement_of(findings, is_landed=manifest.kind.is_landed and MODE_NOT_LANDED not in asset.notes)


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
        withheld(judged, reason_code, message) if judged.asset.source_id == source_id else judged
        for judged in report.assets
    )
    return replace(report, assets=assets)


def warned(judged: AssetJudgement, findings: Iterable[AssetFinding]) -> AssetJudgement:
    """The judgement of an asset about which there is more to say, and which goes where it goes."""
    found = _sorted((*judged.judgement.findings, *findings))
    worst = max((judged.judgement.judgement, "warn"), key=_SEVERITY.__getitem__)
    return replace(judged, judgement=Judgement(worst, judged.judgement.disposition, found))


def withheld(judged: AssetJudgement, reason_code: str, message: str) -> AssetJudgement:
    """The judgement of an asset that is rejected and withheld for a further reason."""
    findings = _sorted((*judged.judgement.findings, AssetFinding(reason_code, "reject", message)))
    return replace(judged, judgement=Judgement("reject", "withheld", findings))
