"""Manifests of the course's dialect: each of their words, read as what it means here."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from loader.gate import GateReport, inspect_manifest
from loader.ingest.sidecars import JudgedFiles, judged_by, withheld_with_their_files
from loader.ingest.translated import told
from loader.kinds import load_kinds
from loader.manifest import (
    Manifest,
    ManifestRefusedError,
    SidecarOf,
    parse_manifest,
    parse_manifests,
    registered_manifest,
)
from loader.manifest.model import GatePolicy
from tests.checkouts import ROOT
from tests.source_manifests import AUDIO, CHECKSUM, TICKET, VIDEO, asset, manifest

CONTRACTS = ROOT / "contracts"
DIALECT = CONTRACTS / "manifest" / "source_manifest_v1.yml"
PATH = Path("data/seed_manifests/under_test.json")
PARTIAL = "metadata_partial"


def read(said: dict[str, Any], path: Path = PATH) -> dict[str, Manifest]:
    """By kind."""
    parts = parse_manifests(json.dumps(said).encode(), path, CONTRACTS)
    assert len({part.manifest_id for part in parts}) == len(parts)
    return {part.contract_ref: part for part in parts}


def only(said: dict[str, Any]) -> Manifest:
    (part,) = read(said).values()
    return part


def refused(said: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(ManifestRefusedError) as refusal:
        read(said)
    return [(each.reason_code, each.json_path) for each in refusal.value.violations]


def judged(folder: Path, said: dict[str, Any]) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Judgement, disposition and reasons of each file, where the page lies beside the manifest."""
    (folder / "page.html").write_bytes(b"x\n")
    reports = [inspect_manifest(part, folder) for part in read(said, folder / "m.json").values()]
    return {one.asset.source_id: _told(one) for report in reports for one in report.assets}


def _told(one: Any) -> tuple[str, str, tuple[str, ...]]:
    return one.judgement.judgement, one.judgement.disposition, one.judgement.reason_codes


def words() -> dict[str, Any]:
    read_words: dict[str, Any] = yaml.safe_load(DIALECT.read_bytes())
    return read_words


def test_each_kind_of_a_manifest_has_a_manifest_of_its_own() -> None:
    """Prevents files of a batch that belong to no run, or to two."""
    said = manifest(
        asset("doc:1"),
        asset("image:1", asset_type="image", source_url_or_path="shot.png"),
        asset("audio:1", asset_type="audio", contract_ref=AUDIO, source_url_or_path="call.WAV"),
        asset("doc:2", asset_type="pdf", source_url_or_path="manual.pdf"),
        asset("video:1", asset_type="video", contract_ref=VIDEO, source_url_or_path="shown.mp4"),
        asset("tickets", asset_type="jsonl", contract_ref=TICKET, source_url_or_path="tickets.jsonl"),
        product_line="northstar_workspace",
        notes="All of it is made.",
        ingest_config={"parser": "auto", "pii_scan": True},
    )
    parts = read(said)
    assert {name: [each.source_id for each in part.assets] for name, part in parts.items()} == {
        "document_v1": ["doc:1", "doc:2"],
        "image_v1": ["image:1"],
        "call_v1": ["audio:1"],
        "video_v1": ["video:1"],
        "ticket_v1": ["tickets"],
    }
    content = json.dumps(said).encode()
    for name, part in parts.items():
        assert part.manifest_id == f"manifest-course-20260424-001.{name}"
        assert (part.batch_id, part.license, part.load_mode) == ("batch-20260424-007", "course_synthetic", "full")
        assert part.searches_parents
        assert part.translation is not None
        assert part.translation.content == content
        assert part.translation.sha256 == part.file_sha256 == hashlib.sha256(content).hexdigest()
        assert part.translation.manifest_id == "manifest-course-20260424-001"
        assert part.translation.kept == ("ingest_config", "notes", "owner", "product_line")
        # What is stored is a manifest like any other, and says the same when it is read again.
        again = parse_manifest(part.content, PATH, CONTRACTS)
        assert (again.assets, again.sha256, again.file_sha256) == (part.assets, part.sha256, part.file_sha256)
    assert [each.asset_type for each in parts["document_v1"].assets] == ["html", "pdf"]
    assert parts["call_v1"].assets[0].asset_type == "wav"


def test_a_manifest_of_ours_is_read_as_it_is() -> None:
    """Prevents a manifest_v1 that only speaks of the dialect from being taken for one."""
    case = json.loads((CONTRACTS / "fixtures/manifest/valid/documents.json").read_bytes())
    content = json.dumps({**case["instance"], "description": "made from a source_manifest_v1"}).encode()
    assert parse_manifests(content, PATH, CONTRACTS) == (parse_manifest(content, PATH, CONTRACTS),)


def test_what_is_declared_goes_into_the_record() -> None:
    """Prevents a field of the dialect that nobody reads."""
    part = read(
        manifest(
            asset(
                "audio:1",
                asset_type="wav",
                source_url_or_path="call.wav",
                contract_ref=AUDIO,
                captured_at=None,
                recorded_at="2026-04-17T23:30:00-02:00",
                language="en",
                duration_sec=2.50,
                ticket_id="TKT-20260417-000001",
                tags=["vip"],
                transcript_object_path="call.jsonl",
                notes="A tone.",
            ),
            product_line="northstar_studio",
        )
    )["call_v1"]
    (found,) = part.assets
    assert found.metadata is not None
    assert json.loads(json.dumps(dict(found.metadata), default=str)) == {
        "exported_at": "2026-04-24T00:00:00Z",
        "owner": "course-team",
        "schema_version": "call_v1",
        "recorded_at": "2026-04-18T01:30:00Z",
        "language": "en",
        "duration_seconds": "2.5",
        "ticket_id": "TKT-20260417-000001",
        "tags": ["vip"],
        "transcript_path": "call.jsonl",
        "product_line": "northstar_studio",
    }
    assert str(found.partition_key) == "2026-04-18"
    assert (found.notes, found.checksum_sha256, found.size_bytes) == ((), CHECKSUM, 2)


@pytest.mark.parametrize(
    ("asset_type", "path", "kind", "ours"),
    [
        ("pdf", "a.pdf", "document_v1", "pdf"),
        ("html", "a.pdf", "document_v1", "html"),
        ("faq", "a.html", "document_v1", "html"),
        ("release_notes", "a.md", "document_v1", "markdown"),
        ("api_doc", "s3://bucket/a.htm", "document_v1", "html"),
        ("image", "a.jpg", "image_v1", "jpeg"),
        ("png", "a", "image_v1", "png"),
        ("other", "a.png", "image_v1", "png"),
    ],
)
def test_the_type_of_a_file_chooses_its_kind(asset_type: str, path: str, kind: str, ours: str) -> None:
    """Prevents a PNG under a document's contract that is judged as a document."""
    (part,) = read(manifest(asset(asset_type=asset_type, source_url_or_path=path))).values()
    assert (part.contract_ref, part.assets[0].asset_type, part.assets[0].notes) == (kind, ours, ())
    assert part.assets[0].metadata is not None
    assert part.assets[0].metadata["schema_version"] == kind


@pytest.mark.parametrize("policy", ["accept", "warn", "quarantine", "reject"])
def test_a_contract_that_does_not_allow_the_kind_is_a_mismatch(tmp_path: Path, policy: str) -> None:
    """Prevents on_contract_mismatch from being read and never asked."""
    said = manifest(asset(contract_ref=AUDIO), gate_policy={"on_contract_mismatch": policy})
    expected = () if policy == "accept" else ("contract_mismatch",)
    assert read(said).keys() == {"document_v1"}
    assert judged(tmp_path, said)["doc:1"] == (policy, _leads(policy), expected)


POLICIES = {
    "on_missing_checksum": ("checksum_missing", {"checksum_sha256": None}, {}),
    "on_partial_metadata": ("metadata_partial", {"metadata_status": "partial"}, {}),
    "on_missing_metadata": ("metadata_missing", {"metadata_status": "missing"}, {}),
    "on_pii_gap": ("pii_scan_not_run", {"pii_scan_status": "not_run"}, {}),
    "on_contract_mismatch": ("contract_mismatch", {"contract_ref": VIDEO}, {}),
    "on_unknown_license": ("license_unknown", {}, {"license_tag": "unknown"}),
}


def _leads(judgement: str) -> str:
    return "admitted" if judgement in ("accept", "warn") else "withheld"


@pytest.mark.parametrize("judgement", ["accept", "warn", "quarantine", "reject"])
@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_acts(tmp_path: Path, policy: str, judgement: str) -> None:
    """Prevents a policy that is declared and changes nothing, or decides about something else."""
    code, of_asset, of_manifest = POLICIES[policy]
    strict = dict.fromkeys(POLICIES, "reject")
    said = manifest(asset(**of_asset), gate_policy={**strict, policy: judgement}, **of_manifest)
    expected = () if judgement == "accept" else (code,)
    assert judged(tmp_path, said) == {"doc:1": (judgement, _leads(judgement), expected)}


def test_a_policy_that_is_not_declared_is_that_of_the_dialect(tmp_path: Path) -> None:
    """Prevents a manifest without gate_policy that admits everything, or nothing."""
    found = {name: judged(tmp_path, manifest(asset(**of), **more)) for name, (_, of, more) in POLICIES.items()}
    assert {name: each["doc:1"][0] for name, each in found.items()} == {
        "on_missing_checksum": "warn",
        "on_partial_metadata": "warn",
        "on_missing_metadata": "quarantine",
        "on_pii_gap": "quarantine",
        "on_contract_mismatch": "reject",
        "on_unknown_license": "reject",
    }


def test_every_policy_of_ours_has_one_of_theirs_or_a_fixed_one() -> None:
    ours = {each["policy"] for each in words()["gate_policy"].values()} | words()["fixed_policy"].keys()
    assert ours == set(GatePolicy.__dataclass_fields__)
    assert words()["gate_policy"].keys() == POLICIES.keys()


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        ("clear", ()),
        ("redacted", ()),
        ("not_applicable", ()),
        ("not_run", ("pii_scan_not_run",)),
        ("unknown", ("pii_scan_not_run",)),
        (None, ("pii_scan_not_run",)),
        ("suspected", ("pii_suspected",)),
    ],
)
def test_each_word_of_a_scan_for_personal_data(tmp_path: Path, status: str | None, codes: tuple[str, ...]) -> None:
    """Prevents a file that nobody scanned from passing for a clear one."""
    assert judged(tmp_path, manifest(asset(pii_scan_status=status)))["doc:1"][2] == codes


@pytest.mark.parametrize(
    ("status", "codes"),
    [("complete", ()), ("unknown", ()), (None, ()), ("partial", (PARTIAL,)), ("missing", ("metadata_missing",))],
)
def test_each_word_of_the_metadata(tmp_path: Path, status: str | None, codes: tuple[str, ...]) -> None:
    assert judged(tmp_path, manifest(asset(metadata_status=status)))["doc:1"][2] == codes


@pytest.mark.parametrize(("mode", "ours"), [("cdc", "cdc"), ("replay", "replay"), ("backfill", "backfill")])
def test_a_mode_that_does_not_land_is_judged_and_named(tmp_path: Path, mode: str, ours: str) -> None:
    """Prevents a change log that is landed as if it were a snapshot, and a bad file in one that nobody hears of."""
    said = manifest(asset(), asset("doc:2", checksum_sha256="1" * 64), load_mode=mode)
    assert only(said).load_mode == ours
    assert judged(tmp_path, said) == {
        "doc:1": ("warn", "not_available", ("load_mode_not_landed",)),
        "doc:2": ("reject", "withheld", ("checksum_mismatch", "load_mode_not_landed")),
    }


def test_ours_may_not_declare_a_mode_that_does_not_land() -> None:
    """Prevents a manifest_v1 that says cdc and lands as a snapshot."""
    case = json.loads((CONTRACTS / "fixtures/manifest/valid/documents.json").read_bytes())
    with pytest.raises(ManifestRefusedError) as refusal:
        parse_manifest(json.dumps({**case["instance"], "load_mode": "cdc"}).encode(), PATH, CONTRACTS)
    assert [each.json_path for each in refusal.value.violations] == ["$.load_mode"]


def test_the_window_of_an_incremental_cursor() -> None:
    """Prevents a file that is withheld from keeping back days that its window does not reach, or none."""
    window = {"cursor_field": "updated_at", "cursor_start": "2026-04-01T00:00:00Z", "watermark_field": "ingested_at"}
    tickets = asset("tickets", asset_type="jsonl", source_url_or_path="t.jsonl", captured_at=None)
    said = manifest(tickets, contract_ref=TICKET, load_mode="incremental_cursor")
    whole = only({**said, "selection_window": {**window, "cursor_end": "2026-04-20T00:00:00Z"}})
    assert whole.load_mode == "incremental"
    assert whole.selection_window is not None
    assert [str(each) for each in (whole.selection_window.start, whole.selection_window.end)] == [
        "2026-04-01 00:00:00+00:00",
        "2026-04-20 00:00:00+00:00",
    ]
    assert whole.selection_window.field == "updated_at"
    assert whole.translation is not None
    assert whole.translation.kept == ("owner", "selection_window")
    # Nothing newer than the manifest can be in it.
    open_end = only({**said, "selection_window": window}).selection_window
    assert open_end is not None
    assert str(open_end.end) == "2026-04-24 00:00:00+00:00"
    # By another field it says no days: the files may be of any.
    assert only({**said, "selection_window": {**window, "cursor_field": "ingested_at"}}).selection_window is None
    assert refused(said) == [("window_required_by_load_mode", "$.selection_window")]
    assert refused({**said, "selection_window": {**window, "cursor_end": "2026-03-01T00:00:00Z"}}) == [
        ("window_empty", "$.selection_window")
    ]
    assert refused({**said, "selection_window": {**window, "cursor_start": "April"}}) == [
        ("manifest_invalid_value", "$.selection_window.cursor_start")
    ]


def test_without_an_instant_the_day_of_the_manifest_counts(tmp_path: Path) -> None:
    """Prevents a file that no day holds, and a day that nobody was told is assumed."""
    said = manifest(asset(captured_at=None))
    (part,) = read(said).values()
    assert str(part.assets[0].partition_key) == "2026-04-24"
    assert judged(tmp_path, said)["doc:1"] == ("warn", "admitted", ("recorded_at_assumed",))
    # The lines of a file have instants of their own.
    tickets = asset("t", asset_type="jsonl", source_url_or_path="t.jsonl", captured_at=None)
    assert only(manifest(tickets, contract_ref=TICKET)).assets[0].notes == ()


@pytest.mark.parametrize("asset_type", ["csv", "parquet", "json", "m4a", "fax"])
def test_a_type_that_nothing_reads_rejects_its_file_alone(tmp_path: Path, asset_type: str) -> None:
    """Prevents one table of a batch from taking its siblings with it, or from being lost without a word."""
    said = manifest(asset(), asset("table", asset_type=asset_type, source_url_or_path="page.html"))
    assert judged(tmp_path, said) == {
        "doc:1": ("accept", "admitted", ()),
        "table": ("reject", "withheld", ("asset_type_not_read",)),
    }


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"checksum_sha256": "4" * 64}, ("checksum_mismatch",)),
        ({"checksum_sha256": "4" * 64, "source_url_or_path": "gone.html"}, ("asset_missing",)),
        ({"source_url_or_path": "s3://omni-raw/page.html", "checksum_sha256": "4" * 64}, ("path_outside_roots",)),
        ({"source_url_or_path": "https://example.com/page.html"}, ("scheme_not_allowed",)),
        ({"size_bytes": 3}, ("size_mismatch",)),
    ],
)
def test_a_bad_file_of_the_dialect(tmp_path: Path, changes: dict[str, Any], reasons: tuple[str, ...]) -> None:
    assert judged(tmp_path, manifest(asset(**changes)))["doc:1"][2] == reasons


def test_a_placeholder_is_called_one(tmp_path: Path) -> None:
    """Prevents a person from looking for the file that has 64 equal digits."""
    report = _report(tmp_path, manifest(asset(checksum_sha256="4" * 64)))
    (finding,) = report.assets[0].judgement.findings
    assert "a placeholder of one repeated digit, '4'" in finding.message


def _report(folder: Path, said: dict[str, Any]) -> GateReport:
    (folder / "page.html").write_bytes(b"x\n")
    (part,) = read(said, folder / "m.json").values()
    return inspect_manifest(part, folder)


def test_a_path_is_looked_for_upwards_and_the_first_hit_counts(tmp_path: Path) -> None:
    """Prevents a manifest of a checkout whose paths begin at its root, and a hit outside the roots."""
    project, outside = tmp_path / "project", tmp_path
    folder = project / "data" / "manifests"
    (folder / "media").mkdir(parents=True)
    (project / "media").mkdir()
    (outside / "media").mkdir()
    for place, name in ((folder, "near"), (project, "near"), (project, "far"), (outside, "beyond")):
        (place / "media" / f"{name}.html").write_bytes(b"x\n")
    pages = [asset(name, source_url_or_path=f"media/{name}.html") for name in ("near", "far", "beyond")]
    # It leads back into a root, from a folder above all of them.
    pages.append(asset("back", source_url_or_path="project/media/far.html"))
    (part,) = read(manifest(*pages), folder / "m.json").values()
    found = {one.asset.source_id: one for one in inspect_manifest(part, project).assets}
    assert {name: one.judgement.reason_codes for name, one in found.items()} == {
        "near": (),
        "far": (),
        "beyond": ("asset_missing",),
        "back": ("asset_missing",),
    }
    assert [found[name].path for name in ("near", "far")] == [
        folder / "media" / "near.html",
        project / "media" / "far.html",
    ]
    # A manifest of ours names the folder itself.
    ours = parse_manifest(part.content.replace(b'"searches_parents": true', b'"searches_parents": false'), folder / "m")
    assert inspect_manifest(ours, project).assets[1].judgement.reason_codes == ("asset_missing",)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"owner": None}, [("manifest_missing_field", "$.owner")]),
        ({"created_at": "yesterday"}, [("manifest_invalid_value", "$.created_at")]),
        ({"created_at": "0000-01-01T00:00:00Z"}, [("manifest_invalid_value", "$.created_at")]),
        ({"load_mode": "full"}, [("manifest_invalid_value", "$.load_mode")]),
        ({"gate_policy": {"on_mood": "warn"}}, [("manifest_unknown_field", "$.gate_policy.on_mood")]),
        ({"contract_ref": "omni://contracts/data/fax/v1"}, [("unknown_contract_ref", "$.contract_ref")]),
        (
            {"license_tag": "unknown", "canonization_status": "canonized"},
            [("canonized_with_unknown_license", "$.assets[0].license")],
        ),
        ({"assets": [asset(), asset()]}, [("duplicate_source_id", "$.assets[1].source_id")]),
        ({"assets": [asset(mood="good")]}, [("manifest_unknown_field", "$.assets[0].mood")]),
        (
            {"assets": [asset(captured_at="2026-04-17T10:00:60Z")]},
            [("manifest_invalid_value", "$.assets[0].captured_at")],
        ),
    ],
)
def test_what_a_manifest_of_the_dialect_is_refused_for(
    changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    """Prevents a broken declaration that is read as far as it goes."""
    assert refused(manifest(**changes)) == expected


def test_the_batch_is_named_as_ours_are() -> None:
    """Prevents a manifest from being refused for the name of its batch, and two batches of one name."""
    ids = {
        ("manifest-course-20260424-002", "batch-20260401-009"): "batch-20260401-009",
        ("manifest-course-20260424-002", "spring"): "batch-20260424-002",
        ("course", "spring"): "batch-20260424-001",
    }
    for (manifest_id, batch_id), expected in ids.items():
        assert only(manifest(manifest_id=manifest_id, batch_id=batch_id)).batch_id == expected


def test_a_sidecar_is_a_file_of_its_own() -> None:
    """Prevents a text that nobody can find again from its picture, or that needs a checksum nobody declares."""
    said = manifest(
        asset(
            "image:1",
            asset_type="image",
            source_url_or_path="shot.png",
            captured_at=None,
            pii_scan_status="redacted",
            language="en",
            ocr_text_path="shot.ocr.txt",
            keyframe_ocr_path="frames/shot.txt",
        ),
        license_tag="cc_by",
        canonization_status="canonized",
    )
    parts = read(said)
    assert [*parts] == ["image_v1", "ocr_text_v1"]
    first, second = parts["ocr_text_v1"].assets
    assert (first.source_id, second.source_id) == ("image:1:ocr", "image:1:keyframe_ocr")
    assert (first.source_url_or_path, second.source_url_or_path) == ("shot.ocr.txt", "frames/shot.txt")
    assert (first.asset_type, first.license, first.canonization_status) == ("txt", "cc_by", "canonized")
    assert (first.checksum_sha256, first.size_bytes, first.pii_scan_status) == (None, None, "clean")
    assert first.metadata == {
        "exported_at": "2026-04-24T00:00:00Z",
        "owner": "course-team",
        "schema_version": "ocr_text_v1",
        "linked_source_id": "image:1",
        "recorded_at": "2026-04-24T00:00:00Z",
        "language": "en",
    }
    assert first.beside == second.beside == SidecarOf("manifest-course-20260424-001.image_v1", "image:1")
    assert first.notes == parts["image_v1"].assets[0].notes == ("recorded_at_assumed",)


def test_a_sidecar_needs_no_checksum(tmp_path: Path) -> None:
    """Prevents a policy for declared checksums from judging a file for which the dialect has no place for one."""
    (tmp_path / "page.ocr.txt").write_bytes(b"x")
    said = manifest(asset(ocr_path="page.ocr.txt"), gate_policy={"on_missing_checksum": "reject"})
    assert judged(tmp_path, said)["doc:1:ocr"] == ("accept", "admitted", ())


def test_a_missing_sidecar_is_named(tmp_path: Path) -> None:
    """Prevents a text that is declared, is not there, and is spoken of by nobody; its file is none the worse."""
    assert judged(tmp_path, manifest(asset(ocr_path="page.ocr.txt"))) == {
        "doc:1": ("accept", "admitted", ()),
        "doc:1:ocr": ("reject", "missing", ("asset_missing",)),
    }


def test_a_sidecar_is_withheld_with_its_file(tmp_path: Path) -> None:
    """Prevents the words of a picture that nobody may see from standing there without it."""
    (tmp_path / "page.html").write_bytes(b"x\n")
    said = manifest(
        asset("good", ocr_path="page.html"),
        asset("bad", ocr_path="page.html", checksum_sha256="1" * 64),
        asset("both", ocr_path="gone.txt", checksum_sha256="1" * 64),
    )
    files, texts = (inspect_manifest(part, tmp_path) for part in read(said, tmp_path / "m.json").values())
    withheld = withheld_with_their_files(texts, JudgedFiles(judged_by(files)), load_kinds(CONTRACTS))
    assert {one.asset.source_id: _told(one) for one in withheld.assets} == {
        "good:ocr": ("accept", "admitted", ()),
        "bad:ocr": ("reject", "withheld", ("media_not_admitted",)),
        "both:ocr": ("reject", "missing", ("asset_missing",)),
    }
    # Its file may have been judged where nobody asks the warehouse.
    for knows_all, expected in ((True, "withheld"), (False, "admitted")):
        unknown = withheld_with_their_files(texts, JudgedFiles((), knows_all=knows_all), load_kinds(CONTRACTS))
        assert unknown.assets[0].judgement.disposition == expected


def test_a_sidecar_of_a_kind_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Prevents a file that is declared and that nobody speaks of; and a manifest that becomes another one once the kind
    is there."""
    contracts = tmp_path / "contracts"
    shutil.copytree(CONTRACTS, contracts)
    said = manifest(asset(ocr_text_path="page.ocr.txt", keyframe_ocr_path="page.frames.txt"))
    with_kind = read(said)
    shutil.rmtree(contracts / "kinds" / "ocr_text_v1")
    (part,) = parse_manifests(json.dumps(said).encode(), PATH, contracts)
    assert part.translation is not None
    assert part.translation.not_landed == (
        "page.ocr.txt, beside doc:1: no kind ocr_text_v1",
        "page.frames.txt, beside doc:1: no kind ocr_text_v1",
    )
    assert [*told([part])][1:] == [
        f"gate: {part.manifest_id}: not landed: {each}" for each in part.translation.not_landed
    ]
    assert part.content == with_kind["document_v1"].content
    # As it is read from the warehouse, too, and where the kind has come meanwhile.
    delivered = json.dumps(said).encode()
    assert registered_manifest(part.content, delivered, PATH, contracts) == part
    again = registered_manifest(part.content, delivered, PATH, CONTRACTS)
    assert again == with_kind["document_v1"]
    other = registered_manifest(part.content, json.dumps({**said, "owner": "another"}).encode(), PATH, contracts)
    assert (other.content, other.translation) == (part.content, replace(part.translation, content=None, not_landed=()))


def test_the_words_of_the_dialect_are_those_of_its_schema() -> None:
    """Prevents a word that the schema accepts and the translation does not know."""
    schema = json.loads((CONTRACTS / "manifest" / "source_manifest_v1.schema.json").read_bytes())
    of_manifest, of_asset = schema["properties"], schema["properties"]["assets"]["items"]["properties"]
    said = words()
    for name in ("load_mode", "canonization_status"):
        assert set(of_manifest[name]["enum"]) == said[f"{name}s" if name == "load_mode" else name].keys()
    for name in ("pii_scan_status", "metadata_status"):
        assert set(of_asset[name]["enum"]) - {None} == said[name].keys()
    assert of_manifest["gate_policy"]["properties"].keys() == said["gate_policy"].keys()
    named = {*said["metadata"], *said["instants"], *said["sidecars"]}
    assert named <= of_asset.keys()
    assert set(said["kept"]) <= of_manifest.keys()


def test_what_a_manifest_becomes_stays_the_same() -> None:
    """Prevents a registered manifest from becoming another one under its id. A change raises `version` of the dialect,
    and this hash."""
    everything = manifest(
        asset("doc:1"),
        asset("image:1", asset_type="image", source_url_or_path="shot.png", captured_at=None, language="en"),
        asset(
            "audio:1",
            asset_type="wav",
            contract_ref=AUDIO,
            source_url_or_path="call.wav",
            duration_sec=2.5,
            transcript_object_path="call.jsonl",
            ocr_path="call.txt",
        ),
        asset("table", asset_type="csv", source_url_or_path="table.csv", contract_ref=TICKET),
        gate_policy={"on_pii_gap": "warn"},
        product_line="northstar_studio",
    )
    digest = hashlib.sha256(b"".join(part.content for part in read(everything).values())).hexdigest()
    assert (words()["version"], digest[:16]) == (1, "02eb2c352561a7ae")
