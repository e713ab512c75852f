"""The worst finding decides; the policy rules over declarations and never over bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from loader.gate import (
    REQUIRED_METADATA,
    AssetFinding,
    AssetJudgement,
    GateReport,
    Inspection,
    Judgement,
    base_folder,
    inspect_manifest,
    judge_asset,
    withhold,
)
from loader.kinds import load_kinds
from loader.manifest.model import Asset, GatePolicy, Manifest
from loader.raw_zone import RawZone
from loader.reader.gzip_members import GzipDefect

CONTRACTS = Path(__file__).parents[2] / "contracts"
KINDS = load_kinds(CONTRACTS)
CONTENT = b'{"ticket_id":"TKT-20260417-000001"}\n'
SHA256 = hashlib.sha256(CONTENT).hexdigest()
INSPECTED = Inspection(SHA256, len(CONTENT), "identity", len(CONTENT))
LENIENT = GatePolicy(
    checksum_missing="accept",
    metadata_missing="accept",
    metadata_partial="accept",
    pii_scan_not_run="accept",
    pii_suspected="accept",
    contract_mismatch="accept",
    license_unknown="accept",
)
METADATA = {"exported_at": "2026-04-18T00:05:00Z", "owner": "support", "schema_version": "ticket_v1"}

# What to declare so that exactly this policy key applies.
POLICY_CASES: dict[str, dict[str, Any]] = {
    "checksum_missing": {"checksum_sha256": None},
    "metadata_missing": {"metadata": None},
    "metadata_partial": {"metadata": {"owner": "support", "schema_version": "ticket_v1"}},
    "pii_scan_not_run": {"pii_scan_status": "not_run"},
    "pii_suspected": {"pii_scan_status": "suspected"},
    "contract_mismatch": {"metadata": {**METADATA, "schema_version": "ticket_v2"}},
    "license_unknown": {"license": " Unknown"},
}


def asset_of(**changes: Any) -> Asset:
    declared: dict[str, Any] = {
        "source_id": "tickets-2026-04-17.jsonl",
        "source_url_or_path": "tickets-2026-04-17.jsonl",
        "asset_type": "jsonl",
        "checksum_sha256": SHA256,
        "size_bytes": len(CONTENT),
        "record_count": None,
        "sequence": 1,
        "canonization_status": "candidate",
        "license": "CC-BY-4.0",
        "pii_scan_status": "clean",
        "metadata": METADATA,
        "ordinal": 1,
    }
    return Asset(**(declared | changes))


def manifest_of(folder: Path, *assets: Asset, policy: GatePolicy = LENIENT, **changes: Any) -> Manifest:
    declared: dict[str, Any] = {
        "manifest_id": "manifest-tickets-202604",
        "batch_id": "batch-20260417-001",
        "contract_ref": "ticket_v1",
        "modality": "structured",
        "source_type": "ticket_export",
        "load_mode": "full",
        "selection_window": None,
        "gate_policy": policy,
        "license": "CC-BY-4.0",
        "root": None,
        "assets": assets or (asset_of(),),
        "content": b"{}",
        "sha256": hashlib.sha256(b"{}").hexdigest(),
        "path": folder / "manifest.json",
        "description": None,
        "kind": KINDS["ticket_v1"],
    }
    return Manifest(**(declared | changes))


def judge(asset: Asset, inspection: Inspection | None = INSPECTED, policy: GatePolicy = LENIENT) -> Judgement:
    return judge_asset(manifest_of(Path("/m"), asset, policy=policy), asset, inspection)


def test_an_asset_that_is_what_it_says_is_admitted_without_a_reason() -> None:
    """Prevents noise: no reason where nothing is wrong."""
    assert judge(asset_of()) == Judgement("accept", "admitted")


@pytest.mark.parametrize(
    ("word", "disposition"),
    [("accept", "admitted"), ("warn", "admitted"), ("quarantine", "withheld"), ("reject", "withheld")],
)
@pytest.mark.parametrize("code", sorted(POLICY_CASES))
def test_the_policy_decides_about_each_declaration(code: str, word: Any, disposition: str) -> None:
    """Prevents a policy key that is read and never obeyed, or that another one answers for."""
    judged = judge(asset_of(**POLICY_CASES[code]), policy=replace(LENIENT, **{code: word}))
    assert (judged.judgement, judged.disposition) == (word, disposition)
    assert judged.reason_codes == (() if word == "accept" else (code,))
    assert len(judged.findings) == len(judged.reason_codes)


def test_every_policy_key_has_a_case() -> None:
    """Prevents a new policy key without a rule behind it."""
    assert sorted(GatePolicy.__dataclass_fields__) == sorted(POLICY_CASES)


@pytest.mark.parametrize("metadata", [{}, None])
def test_no_metadata_at_all_is_missing_not_partial(metadata: Any) -> None:
    """Prevents an empty object from passing as metadata."""
    judged = judge(asset_of(metadata=metadata), policy=replace(LENIENT, metadata_missing="warn"))
    assert judged.reason_codes == ("metadata_missing",)


@pytest.mark.parametrize("absent", ["exported_at", "owner", "schema_version"])
@pytest.mark.parametrize("blank", [{}, None, "", "  "])
def test_each_required_metadata_key_is_asked_for(absent: str, blank: Any) -> None:
    """Prevents metadata that names its keys and fills none."""
    metadata: dict[str, Any] = {**METADATA, absent: blank}
    if blank == {}:
        del metadata[absent]
    judged = judge(asset_of(metadata=metadata), policy=replace(LENIENT, metadata_partial="quarantine"))
    assert judged.reason_codes == ("metadata_partial",)
    assert [one.message for one in judged.findings] == [f"metadata lacks {absent}"]


@pytest.mark.parametrize(
    ("changes", "inspection", "code"),
    [
        ({"checksum_sha256": "0" * 64}, INSPECTED, "checksum_mismatch"),
        ({"size_bytes": 1}, INSPECTED, "size_mismatch"),
        ({"size_bytes": 0}, INSPECTED, "size_mismatch"),
        ({}, replace(INSPECTED, content_encoding="gzip"), "encoding_mismatch"),
        ({"asset_type": "jsonl_gz"}, INSPECTED, "encoding_mismatch"),
        (
            {"asset_type": "jsonl_gz", "source_url_or_path": "a.jsonl"},
            replace(INSPECTED, content_encoding="gzip"),
            "encoding_mismatch",
        ),
        ({"source_url_or_path": "a.jsonl.gz"}, INSPECTED, "encoding_mismatch"),
        *[
            ({"asset_type": "jsonl_gz", "source_url_or_path": "a.gz"}, inspection, inspection.defect)
            for inspection in (
                replace(INSPECTED, content_encoding="gzip", defect=code, defect_message="what is wrong")
                for code in (
                    *get_args(GzipDefect),
                    "decompression_limit",
                    "too_many_lines",
                    "source_changed_while_reading",
                )
            )
        ],
        ({}, None, "asset_missing"),
    ],
)
def test_the_bytes_are_never_a_matter_of_policy(
    changes: dict[str, Any], inspection: Inspection | None, code: str
) -> None:
    """Prevents a lenient policy from letting other bytes through than were declared."""
    judged = judge(asset_of(**changes), inspection)
    assert (judged.judgement, judged.reason_codes) == ("reject", (code,))
    assert judged.disposition == ("missing" if code == "asset_missing" else "withheld")
    assert all(one.message for one in judged.findings)


def test_a_gzip_export_is_admitted_when_type_and_bytes_agree() -> None:
    """Prevents the ordinary compressed export from being refused for its name."""
    packed = replace(INSPECTED, content_encoding="gzip", content_bytes=500)
    for name in ("a.jsonl.gz", "a.GZ", "a", "a.20260417"):
        assert judge(asset_of(asset_type="jsonl_gz", source_url_or_path=name), packed).disposition == "admitted"


def test_an_empty_asset_goes_on_with_a_warning() -> None:
    """Prevents an empty export from passing unseen, and a day without tickets from failing."""
    empty = Inspection(hashlib.sha256().hexdigest(), 0, "identity", 0)
    judged = judge(asset_of(checksum_sha256=empty.fingerprint, size_bytes=0), empty)
    assert judged == Judgement(
        "warn", "admitted", (AssetFinding("empty_asset", "warn", "the asset has no content, so it declares no line"),)
    )


def test_the_worst_judgement_wins_and_every_reason_is_kept() -> None:
    """Prevents an operator from repairing one reason only to meet the next."""
    asset = asset_of(license="unknown", pii_scan_status="not_run", metadata=None, checksum_sha256="0" * 64)
    policy = replace(LENIENT, license_unknown="quarantine", pii_scan_not_run="warn")
    judged = judge(asset, policy=policy)
    assert (judged.judgement, judged.disposition) == ("reject", "withheld")
    assert judged.reason_codes == ("checksum_mismatch", "license_unknown", "pii_scan_not_run")
    assert judge(replace(asset, checksum_sha256=SHA256), policy=policy).judgement == "quarantine"


def test_a_kind_that_is_not_landed_is_not_available_unless_it_is_worse() -> None:
    """Prevents a broken call recording from being reported as merely not supported yet."""
    asset = asset_of(asset_type="wav", source_url_or_path="call.wav")
    manifest = manifest_of(Path("/m"), asset, kind=replace(KINDS["call_v1"], landing=None))
    assert judge_asset(manifest, asset, INSPECTED) == Judgement("accept", "not_available")
    assert judge_asset(manifest, asset, None).disposition == "missing"
    assert judge_asset(manifest, replace(asset, size_bytes=3), INSPECTED).disposition == "withheld"


def test_siblings_of_a_bad_asset_are_admitted(tmp_path: Path) -> None:
    """Prevents one bad file from hiding the judgement of its neighbours, whatever is wrong with it."""
    (tmp_path / "project").mkdir()
    folder = tmp_path / "project" / "manifests"
    folder.mkdir()
    packed = gzip.compress(CONTENT)
    files = {
        "good.jsonl": CONTENT,
        "other.jsonl": CONTENT[:-1],
        "empty.jsonl": b"",
        "good.jsonl.gz": packed,
        "cut.jsonl.gz": packed[:-5],
        "garbage.jsonl.gz": packed + b"\0",
        "corrupt.jsonl.gz": packed[:-8] + b"\0" * 8,
        "really-gzip.jsonl": packed,
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    os.mkfifo(folder / "pipe.jsonl")
    (folder / "folder.jsonl").mkdir()
    (tmp_path / "outside.jsonl").write_bytes(CONTENT)
    expected = {
        "good.jsonl": ("success", ()),
        "other.jsonl": ("fail", ("checksum_mismatch", "size_mismatch")),
        "absent.jsonl": ("fail", ("asset_missing",)),
        "pipe.jsonl": ("fail", ("not_a_file",)),
        "folder.jsonl": ("fail", ("not_a_file",)),
        "../../outside.jsonl": ("fail", ("path_outside_roots",)),
        "s3://bucket/x.jsonl": ("fail", ("path_outside_roots",)),
        "empty.jsonl": ("success", ("empty_asset",)),
        "good.jsonl.gz": ("success", ()),
        "cut.jsonl.gz": ("fail", ("truncated_gzip",)),
        "garbage.jsonl.gz": ("fail", ("trailing_garbage",)),
        "corrupt.jsonl.gz": ("fail", ("corrupt_gzip",)),
        "really-gzip.jsonl": ("fail", ("encoding_mismatch",)),
        "./good.jsonl": ("success", ()),
    }
    assets = tuple(
        asset_of(
            source_id=f"{ordinal}-{name}",
            source_url_or_path=name,
            asset_type="jsonl_gz" if name.endswith(".gz") else "jsonl",
            checksum_sha256=SHA256 if name == "other.jsonl" else None,
            size_bytes=len(CONTENT) if name == "other.jsonl" else None,
            ordinal=ordinal,
        )
        for ordinal, name in enumerate(expected, start=1)
    )
    heard: list[AssetJudgement] = []
    report = inspect_manifest(manifest_of(folder, *assets), tmp_path / "project", on_asset=heard.append)
    assert [judged.asset for judged in report.assets] == list(assets)
    assert {
        judged.asset.source_url_or_path: (judged.outcome, judged.judgement.reason_codes) for judged in report.assets
    } == expected
    assert report.outcome == "fail"
    assert tuple(heard) == report.assets
    by_name = {judged.asset.source_url_or_path: judged for judged in report.assets}
    assert by_name["good.jsonl"].path == folder / "good.jsonl"
    assert by_name["good.jsonl"].inspection == INSPECTED
    assert by_name["../../outside.jsonl"].path is None
    assert by_name["absent.jsonl"].inspection is None


def test_paths_resolve_against_root_which_must_be_allowed(tmp_path: Path) -> None:
    """Prevents a manifest from allowing itself any folder by naming it as root."""
    exports, folder = tmp_path / "exports", tmp_path / "manifests"
    exports.mkdir()
    folder.mkdir()
    (exports / "tickets-2026-04-17.jsonl").write_bytes(CONTENT)
    for root in (str(exports), "../exports"):
        manifest = manifest_of(folder, root=root)
        assert base_folder(manifest).resolve() == exports
        (refused,) = inspect_manifest(manifest, tmp_path / "project").assets
        said = f"{str(exports)!r} lies outside the allowed roots {tmp_path / 'project'}, {folder}"
        assert refused.judgement.findings == (AssetFinding("path_outside_roots", "reject", said, exports),)
        (judged,) = inspect_manifest(manifest, tmp_path / "project", [exports]).assets
        assert judged.judgement.disposition == "admitted"
        assert judged.path == exports / "tickets-2026-04-17.jsonl"


@pytest.mark.parametrize(
    ("dispositions", "outcome"),
    [
        (["admitted", "admitted"], "success"),
        (["admitted", "not_available"], "success"),
        (["not_available", "not_available"], "skip"),
        (["admitted", "withheld"], "fail"),
        (["not_available", "missing"], "fail"),
    ],
)
def test_the_outcome_of_a_manifest(tmp_path: Path, dispositions: list[Any], outcome: str) -> None:
    """Prevents a manifest with a withheld file from being called a success."""
    judged = [AssetJudgement(asset_of(), Judgement("warn", disposition), None, None) for disposition in dispositions]
    assert GateReport(manifest_of(tmp_path), tuple(judged)).outcome == outcome


def test_withhold_judges_one_asset_anew_and_leaves_its_siblings(tmp_path: Path) -> None:
    """Prevents a source that changed after the gate from staying admitted."""
    assets = (asset_of(source_id="a", license="unknown"), asset_of(source_id="b"))
    (tmp_path / "tickets-2026-04-17.jsonl").write_bytes(CONTENT)
    manifest = manifest_of(tmp_path, *assets, policy=replace(LENIENT, license_unknown="warn"))
    report = inspect_manifest(manifest, tmp_path)
    changed = withhold(report, "a", "source_changed_while_reading", "it grew")
    assert changed.assets[0].judgement == Judgement(
        "reject",
        "withheld",
        (
            AssetFinding("license_unknown", "warn", "the license is unknown"),
            AssetFinding("source_changed_while_reading", "reject", "it grew"),
        ),
    )
    assert changed.assets[1] == report.assets[1]
    assert (report.outcome, changed.outcome) == ("success", "fail")
    with pytest.raises(KeyError):
        withhold(report, "absent", "source_changed_while_reading", "it grew")


def test_what_the_gate_admits_the_raw_zone_takes(tmp_path: Path) -> None:
    """Prevents two ideas of a source between the gate and the archive, here through a link."""
    (tmp_path / "real.jsonl").write_bytes(CONTENT)
    (tmp_path / "tickets-2026-04-17.jsonl").symlink_to(tmp_path / "real.jsonl")
    (judged,) = inspect_manifest(manifest_of(tmp_path), tmp_path).assets
    assert judged.path == tmp_path / "real.jsonl"
    assert judged.inspection is not None
    zone = RawZone(tmp_path / "raw")
    assert zone.path_of(zone.put(judged.path, judged.inspection)).read_bytes() == CONTENT


GATE_CODES = {
    *POLICY_CASES,
    *get_args(GzipDefect),
    "asset_too_large",
    "too_many_lines",
    "asset_missing",
    "asset_unreadable",
    "checksum_mismatch",
    "decompression_limit",
    "empty_asset",
    "encoding_mismatch",
    "invalid_path",
    "not_a_file",
    "path_outside_roots",
    "scheme_not_allowed",
    "size_mismatch",
    "source_changed_while_reading",
}


def test_the_required_metadata_are_those_of_the_manifest_schema() -> None:
    """Prevents a metadata field that the schema knows and the gate forgets."""
    schema = json.loads((CONTRACTS / "manifest" / "manifest_v1.schema.json").read_text())
    asset_fields = schema["properties"]["assets"]["items"]["properties"]
    assert sorted(REQUIRED_METADATA) == sorted(asset_fields["metadata"]["properties"])


def test_every_asset_type_of_a_kind_is_told_gzip_or_not_by_its_name() -> None:
    """Prevents a new compressed asset type that the gate takes for plain bytes."""
    types = {asset_type for kind in load_kinds(CONTRACTS).values() for asset_type in kind.asset_types}
    assert {asset_type for asset_type in types if "gz" in asset_type} == {"jsonl_gz"}


def test_every_reason_of_the_gate_is_in_the_closed_list() -> None:
    """Prevents a reason that no reader of a report can look up."""
    listed = json.loads((CONTRACTS / "reason_codes.json").read_text())
    assert {entry["code"] for entry in listed if entry["scope"] == "asset"} >= GATE_CODES
