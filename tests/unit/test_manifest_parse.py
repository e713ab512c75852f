from __future__ import annotations

import hashlib
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from loader.manifest import ManifestRefusedError, parse_manifest
from tests.unlanded_kind import UNLANDED, add_unlanded

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
FIXTURE = CONTRACTS / "fixtures" / "manifest" / "valid" / "incremental_day.json"
PATH = Path("exports/manifest.json")


def declared(**changes: Any) -> dict[str, Any]:
    instance: dict[str, Any] = json.loads(FIXTURE.read_bytes())["instance"]
    return {**instance, **changes}


def assets(*changes: dict[str, Any], without: str = "") -> list[dict[str, Any]]:
    (asset,) = declared()["assets"]
    asset.pop(without, None)
    return [{**asset, **change} for change in changes]


def content_of(instance: Any) -> bytes:
    return json.dumps(instance).encode()


def test_everything_that_is_declared_arrives() -> None:
    """Prevents: a declared checksum, size or window that no one verifies because it was dropped here."""
    content = content_of(declared(root="../exports", description="Daily export."))
    manifest = parse_manifest(content, PATH, CONTRACTS, is_implicit=True)
    assert manifest.manifest_id == "manifest-tickets-20260417"
    assert manifest.batch_id == "batch-20260417-001"
    assert (manifest.contract_ref, manifest.modality, manifest.source_type) == (
        "ticket_v1",
        "structured",
        "ticket_export",
    )
    assert manifest.load_mode == "incremental"
    window = manifest.selection_window
    assert window is not None
    assert window.field == "updated_at"
    assert (window.start, window.end) == (
        datetime(2026, 4, 17, tzinfo=UTC),
        datetime(2026, 4, 18, tzinfo=UTC),
    )
    assert (manifest.root, manifest.description, manifest.license) == (
        "../exports",
        "Daily export.",
        "CC-BY-4.0",
    )
    assert manifest.gate_policy.checksum_missing == "quarantine"
    assert manifest.gate_policy.pii_suspected == "reject"
    assert (manifest.content, manifest.sha256) == (content, hashlib.sha256(content).hexdigest())
    assert (manifest.path, manifest.is_implicit, manifest.kind.name) == (PATH, True, "ticket_v1")
    (asset,) = manifest.assets
    assert asset.ordinal == 1
    assert asset.source_id == "tickets-2026-04-17.jsonl"
    assert asset.source_url_or_path == "tickets/tickets-2026-04-17.jsonl"
    assert asset.asset_type == "jsonl"
    assert asset.checksum_sha256 == "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    assert (asset.size_bytes, asset.record_count, asset.sequence) == (184_320, 210, 20_260_417_000)
    assert (asset.canonization_status, asset.license, asset.pii_scan_status) == (
        "canonized",
        "CC-BY-4.0",
        "clean",
    )
    assert asset.metadata == {
        "exported_at": "2026-04-18T00:05:00Z",
        "owner": "team_edge",
        "schema_version": "ticket_v1",
    }


def test_an_absent_sequence_comes_from_the_name_and_a_declared_one_stays() -> None:
    """Prevents: versions of a ticket ordered by where a file stands in a list, or an undated one lost to all dated."""
    entries = assets(
        {"source_id": "tickets-2026-04-18.jsonl"},
        {"source_id": "corrections.jsonl"},
        {"source_id": "tickets-2026-04-17.jsonl", "sequence": 5},
        without="sequence",
    )
    manifest = parse_manifest(content_of(declared(assets=entries)), PATH, CONTRACTS)
    assert [asset.sequence for asset in manifest.assets] == [20_260_418_000, 20260417_00010002, 5]
    assert [asset.ordinal for asset in manifest.assets] == [1, 2, 3]


def test_a_whole_number_written_as_a_float_is_a_count() -> None:
    """Prevents: 1.0 bytes, which JSON Schema allows, compared with 1."""
    manifest = parse_manifest(content_of(declared(assets=assets({"size_bytes": 10.0}))), PATH, CONTRACTS)
    size_bytes = manifest.assets[0].size_bytes
    assert (type(size_bytes), size_bytes) == (int, 10)


def test_a_contract_that_is_not_landed_is_known_as_such(tmp_path: Path) -> None:
    """Prevents: recordings parsed as tickets."""
    contracts = shutil.copytree(CONTRACTS, tmp_path / "contracts")
    add_unlanded(contracts)
    instance = json.loads((FIXTURE.parent / "calls.json").read_bytes())["instance"]
    instance |= {"contract_ref": UNLANDED, "source_type": "voicemail_recording"}
    instance["assets"][0]["metadata"] = None
    assert parse_manifest(content_of(instance), PATH, contracts).kind.is_landed is False


def test_all_violations_of_a_manifest_are_told_at_once() -> None:
    """Prevents: an author who mends one line per run."""
    instance = declared(
        modality="audio",
        source_type="call_recording",
        selection_window=None,
        assets=assets({"asset_type": "wav"}, {"license": "Unknown "}),
    )
    with pytest.raises(ManifestRefusedError) as refusal:
        parse_manifest(content_of(instance), PATH, CONTRACTS)
    assert [(one.reason_code, one.json_path) for one in refusal.value.violations] == [
        ("modality_contradicts_contract", "$.modality"),
        ("source_type_contradicts_contract", "$.source_type"),
        ("asset_type_contradicts_contract", "$.assets[0].asset_type"),
        ("window_required_by_load_mode", "$.selection_window"),
        ("duplicate_source_id", "$.assets[1].source_id"),
        ("canonized_with_unknown_license", "$.assets[1].license"),
    ]
    assert refusal.value.message.splitlines()[:2] == [
        "manifest exports/manifest.json is refused, nothing of it was read or written:",
        "  $.modality: got 'audio', expected structured (modality_contradicts_contract)",
    ]
    # What judges it again would refuse it again.
    assert refusal.value.next_command.startswith("make manifest FROM=<folder of exports> OUT=<manifest.json>   # ")
    assert refusal.value.path == PATH


def test_a_long_list_of_violations_is_cut_in_the_message_only() -> None:
    """Prevents: a screen of noise, or a report that lost some."""
    instance = declared(assets=assets(*[{"source_id": str(number), "size_bytes": "x" * 500} for number in range(30)]))
    with pytest.raises(ManifestRefusedError) as refusal:
        parse_manifest(content_of(instance), PATH, CONTRACTS)
    assert len(refusal.value.violations) == 30
    assert refusal.value.message.endswith("and 20 more")
    assert len(refusal.value.message) < 3_000


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"size_bytes":' + b"9" * 100_000 + b"}", b"{" * 10, b"\x00", b"1e999"]
)
def test_bytes_that_break_parsers_are_refused_like_any_other(content: bytes) -> None:
    """Prevents: a crash instead of a refusal."""
    with pytest.raises(ManifestRefusedError):
        parse_manifest(content, PATH, CONTRACTS)
