"""The committed manifests: what their commands make of the committed files."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from pathlib import Path

import pytest

from loader.cli.manifest_command import command
from loader.gate import inspect_manifest, located
from loader.manifest import parse_manifests
from loader.manifest.files import seed_manifests
from tests.unit.manifest_building import (
    ROOT,
    judged,
)

SEEDS = ROOT / "data" / "seed_manifests"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOADER_")]:
        monkeypatch.delenv(name)


def seed_commands() -> list[list[str]]:
    lines = (SEEDS / "README.md").read_text(encoding="utf-8").splitlines()
    return [shlex.split(line)[2:] for line in lines if line.startswith("loader manifest ")]


@pytest.mark.parametrize("words", seed_commands(), ids=lambda words: Path(words[words.index("--out") + 1]).stem)
def test_a_committed_manifest_is_what_its_documented_command_makes(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents a manifest edited by hand, or files that moved on without it."""
    monkeypatch.chdir(ROOT)
    out = Path(words[words.index("--out") + 1])
    before = out.read_bytes()
    assert command.main([*words, "--json"], standalone_mode=False) == 0
    assert json.loads(capsys.readouterr().out)["is_written"] is False
    assert out.read_bytes() == before


def test_the_committed_manifests_declare_every_committed_file_once() -> None:
    """Prevents an export that no manifest names: its records would silently be missing."""
    declared: dict[str, str] = {}
    for path in seed_manifests(ROOT):
        for manifest in parse_manifests(path.read_bytes(), path):
            assert manifest.selection_window is None
            for asset in manifest.assets:
                found = located(manifest, asset.source_url_or_path, (ROOT,))
                file = found.relative_to(ROOT).as_posix()
                assert file not in declared
                # A sidecar has no checksum of its own.
                declared[file] = asset.checksum_sha256 or hashlib.sha256(found.read_bytes()).hexdigest()
                assert (asset.checksum_sha256 is None) == (asset.beside is not None)
    folder = ROOT / "data" / "canonization"
    files = [path for path in folder.glob("*/*") if path.name not in ("README.md", "expected.json")]
    assert declared == {
        path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }
    assert len(declared) == 61 + 61 + 2 + 3 + 2 + 3 + 2 + 8 + 3


def test_the_committed_manifests_count_the_records_that_the_generator_wrote() -> None:
    """Prevents a record count that agrees with the reader's mistakes: the truth comes from elsewhere."""
    counted = {}
    for path in seed_manifests(ROOT):
        kind = path.name.split("-")[0]
        if kind not in ("tickets", "comments"):
            continue
        (manifest,) = parse_manifests(path.read_bytes(), path)
        for asset in manifest.assets:
            counted[kind, asset.source_id] = asset.record_count
            day = asset.source_id.removeprefix(f"{kind}-")[:10]
            assert asset.sequence == int(day.replace("-", "")) * 1000
    assert counted == {
        (kind, name): row["lines"] - row["blank"]
        for kind in ("tickets", "comments")
        for name, row in json.loads((ROOT / f"data/canonization/{kind}/expected.json").read_bytes())["files"].items()
    }


def test_the_gate_admits_all_committed_files_of_a_landed_kind() -> None:
    """Prevents a seed on which the first `make ingest` cannot succeed."""
    found = set()
    for path in seed_manifests(ROOT):
        for manifest in parse_manifests(path.read_bytes(), path):
            for disposition, reason_codes in judged(inspect_manifest(manifest, ROOT)).values():
                found.add((path.stem.split("-")[0], disposition, reason_codes))
    assert {(kind, disposition) for kind, disposition, _ in found} == {
        ("tickets", "admitted"),
        ("comments", "admitted"),
        ("documents", "admitted"),
        ("calls", "admitted"),
        ("videos", "admitted"),
        ("images", "admitted"),
        ("texts", "admitted"),
        ("course", "admitted"),
        ("transcripts", "admitted"),
    }
    assert {reason_codes for _, _, reason_codes in found} == {()}
