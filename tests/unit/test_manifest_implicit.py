"""The manifest of one ad-hoc file."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from loader.errors import CommandUsageError
from loader.gate import inspect_manifest
from loader.manifest.implicit import implicit_manifest
from tests.unit.manifest_building import (
    DAY,
    LINE,
    ROOT,
    judged,
)


def test_an_ad_hoc_file_is_admitted_wherever_it_lies(exports: Path) -> None:
    """Prevents `make ingest INPUT=…` from refusing a file that the operator named."""
    (exports / "adhoc:1.jsonl").write_bytes(LINE)
    for name in (DAY, "adhoc:1.jsonl"):
        manifest = implicit_manifest(exports / name, "batch-20260417-007")
        assert (manifest.is_implicit, manifest.batch_id, manifest.path) == (
            True,
            "batch-20260417-007",
            exports / name,
        )
        assert judged(inspect_manifest(manifest, ROOT)) == {
            name: ("admitted", ("license_unknown", "metadata_missing", "pii_scan_not_run"))
        }


def test_the_implicit_manifest_follows_from_batch_name_and_bytes_only(exports: Path, tmp_path: Path) -> None:
    """Prevents one id with two contents, which the registry would refuse as a changed manifest."""
    first = implicit_manifest(exports / DAY, "batch-20260417-001")
    (tmp_path / DAY).write_bytes(LINE)
    os.utime(tmp_path / DAY, (1, 1))
    assert implicit_manifest(tmp_path / DAY, "batch-20260417-001").content == first.content
    (tmp_path / "other.jsonl").write_bytes(LINE)
    (exports / DAY).write_bytes(LINE * 2)
    ids = {
        first.manifest_id,
        implicit_manifest(tmp_path / DAY, "batch-20260417-002").manifest_id,
        implicit_manifest(tmp_path / "other.jsonl", "batch-20260417-001").manifest_id,
        implicit_manifest(exports / DAY, "batch-20260417-001").manifest_id,
    }
    assert len(ids) == 4


def test_an_ad_hoc_file_stands_in_upstreams_order(tmp_path: Path) -> None:
    """Prevents a hand-made correction that loses every tie against the export that it corrects: its name's date places
    it, then its batch."""
    found = {}
    for name in (DAY, "fix.jsonl", "export_20260417233000.jsonl", "17.04.2026.jsonl"):
        (tmp_path / name).write_bytes(LINE)
        found[name] = implicit_manifest(tmp_path / name, "batch-20260420-003").assets[0].sequence
    assert found == {
        DAY: 20260417_00000303,
        "fix.jsonl": 20260420003,
        "export_20260417233000.jsonl": 20260417_94600303,
        "17.04.2026.jsonl": 20260420003,
    }
    again = implicit_manifest(tmp_path / DAY, "batch-20260421-001").assets[0].sequence
    assert found[DAY] < again < 20260417_10000000


def test_the_kind_of_an_ad_hoc_file_is_read_from_its_bytes(tmp_path: Path) -> None:
    """Prevents a gzip file without its ending from being parsed as text."""
    (tmp_path / "download").write_bytes(gzip.compress(LINE))
    manifest = implicit_manifest(tmp_path / "download", "batch-20260417-001")
    assert manifest.assets[0].asset_type == "jsonl_gz"
    assert judged(inspect_manifest(manifest, ROOT))["download"][0] == "admitted"


@pytest.mark.parametrize(
    ("name", "batch", "message"),
    [
        ("absent.jsonl", "batch-20260417-001", "is no file"),
        (".", "batch-20260417-001", "is no file"),
        (DAY, "20260417", "expected batch-YYYYMMDD-NNN"),
        (DAY, "batch-20260417-001\n", "expected batch-YYYYMMDD-NNN"),
        (DAY, "batch-٢٠٢٦٠٤١٧-001", "expected batch-YYYYMMDD-NNN"),
    ],
)
def test_an_ad_hoc_input_that_means_nothing_is_a_usage_error(
    exports: Path, name: str, batch: str, message: str
) -> None:
    """Prevents a traceback for a mistyped INPUT or BATCH."""
    with pytest.raises(CommandUsageError, match=message):
        implicit_manifest(exports / name, batch)


def test_a_recording_lands_by_itself_and_a_text_of_one_is_sent_where_its_recording_can_be_said(tmp_path: Path) -> None:
    """Prevents an ad-hoc transcript of which each line is rejected, since nothing can say of which call it is; and a
    recording that needs a manifest although its name says everything."""
    media = {"call_v1": "call.wav", "video_v1": "shown.mp4", "image_v1": "shot.png", "document_v1": "page.html"}
    for kind, name in media.items():
        (tmp_path / name).write_bytes(LINE)
        (asset,) = implicit_manifest(tmp_path / name, "batch-20260417-001", record_kind=kind).assets
        assert (asset.asset_type, str(asset.partition_key)) == (name.rpartition(".")[2], "2026-04-17")
    for kind, name in {"transcript_line_v1": "call.jsonl", "ocr_text_v1": "shot.txt"}.items():
        (tmp_path / name).write_bytes(LINE)
        with pytest.raises(CommandUsageError, match=f"each record of {kind} needs linked_source_id") as refused:
            implicit_manifest(tmp_path / name, "batch-20260417-001", record_kind=kind)
        assert refused.value.next_command == (
            f"make manifest FROM={tmp_path} OUT=<manifest.json> KIND={kind} METADATA=<file.json>"
            f'   # which holds {{"{name}": {{"linked_source_id": "…"}}}}'
        )
