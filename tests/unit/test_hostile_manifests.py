"""Manifests made to harm: each is refused in seconds and a bounded message, or shows nothing that it should not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from loader.bounds import MAX_ASSETS, MAX_DOCUMENT_BYTES, MAX_MANIFEST_VALUES, MAX_VIOLATIONS
from loader.config import Settings
from loader.errors import CommandUsageError
from loader.ingest.request import DeclaredInput, IngestRequest, declared_input
from loader.manifest import ManifestRefusedError, parse_manifest
from tests.unit.test_manifest_parse import CONTRACTS, PATH, assets, content_of, declared

SOME = MAX_MANIFEST_VALUES - 1_000


def _top(assets_text: bytes) -> bytes:
    return content_of(declared(assets=[])).replace(b'"assets": []', b'"assets": [' + assets_text + b"]")


# Name: content, reason code of the first violation, and how many there are.
ATTACKS: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "larger_than_is_read": (lambda: b" " * (MAX_DOCUMENT_BYTES + 1), "manifest_too_large", 1),
    "millions_of_arrays": (lambda: _top(b"[]," * 5_000_000 + b"[]"), "manifest_too_large", 1),
    "as_many_assets_as_fit": (lambda: _top(b"{}," * (SOME // 2) + b"{}"), "manifest_invalid_value", 1),
    "empty_assets": (lambda: _top(b"{}," * (MAX_ASSETS - 1) + b"{}"), "manifest_missing_field", 900),
    "assets_that_are_lists": (lambda: _top(b"[]," * (MAX_ASSETS - 1) + b"[]"), "manifest_invalid_value", 100),
    "unknown_names": (
        lambda: b"{" + b",".join(b'"%x":1' % number for number in range(SOME)) + b"}",
        "manifest_unknown_field",
        1,
    ),
    "the_same_name_again": (lambda: b"{" + b'"a":1,' * 99 + b'"a":1}', "manifest_duplicate_key", 1),
    "many_names_twice": (
        lambda: b"{" + b",".join(b'"%x":1' % (number // 2) for number in range(SOME)) + b"}",
        "manifest_unknown_field",
        2,
    ),
    "a_name_of_megabytes": (
        lambda: content_of(declared(**{"x" * 15_000_000: 1})),
        "manifest_unknown_field",
        1,
    ),
    "an_id_of_megabytes": (lambda: content_of(declared(manifest_id="m" * 15_000_000)), "manifest_invalid_value", 1),
    "halves_of_pairs": (lambda: b"[" + b'"\\ud800",' * SOME + b"1]", "manifest_unstorable_character", MAX_VIOLATIONS),
    "deeper_than_any": (lambda: b"[" * 400_000, "manifest_not_json", 1),
    "digits": (lambda: b'{"size_bytes":' + b"9" * 15_000_000 + b"}", "manifest_not_json", 1),
    "files_of_one_source": (
        lambda: content_of(declared(assets=assets(*[{"source_id": "same"}] * 2_000))),
        "duplicate_source_id",
        MAX_VIOLATIONS,
    ),
}

PROBE = """
import resource, sys, time
from pathlib import Path
from loader.manifest import ManifestRefusedError, parse_manifest
content, contracts = sys.stdin.buffer.read(), Path(sys.argv[1])
started, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    parse_manifest(content, Path("exports/manifest.json"), contracts)
except ManifestRefusedError as error:
    print(len(error.message), len(error.violations), error.violations[0].reason_code, len(str(error.violations)))
print(time.process_time() - started, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_manifest_is_refused_within_bounds(name: str) -> None:
    """Prevents a file of 300 KB that takes gigabytes, or a terminal that is filled with what its author chose."""
    make, code, count = ATTACKS[name]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(CONTRACTS)], input=make(), capture_output=True, check=True, timeout=60
    )
    refusal, cost = done.stdout.decode().splitlines()
    message, violations, first_code, told = refusal.split()
    assert (first_code, int(violations)) == (code, count)
    assert int(message) < 5_000
    assert int(told) < 500 * count + 5_000
    seconds, mebibytes = map(float, cost.split())
    assert seconds < 10
    assert mebibytes < 400


def test_the_schema_and_the_bounds_say_the_same_number_of_files() -> None:
    """Prevents an author who keeps the schema and is refused for a number that stands nowhere else."""
    schema = json.loads((CONTRACTS / "manifest" / "manifest_v1.schema.json").read_bytes())
    assert schema["properties"]["assets"]["maxItems"] == MAX_ASSETS
    many = [{"source_id": str(number), "source_url_or_path": f"{number}.jsonl"} for number in range(MAX_ASSETS)]
    assert len(parse_manifest(content_of(declared(assets=assets(*many))), PATH, CONTRACTS).assets) == MAX_ASSETS


def test_a_fault_far_down_has_its_place_in_the_whole() -> None:
    """Prevents a place that counts from the part of the assets which the validator was shown."""
    many = [{"source_id": str(number)} for number in range(350)]
    many[342] |= {"license": 7}
    with pytest.raises(ManifestRefusedError) as refusal:
        parse_manifest(content_of(declared(assets=assets(*many))), PATH, CONTRACTS)
    assert [one.json_path for one in refusal.value.violations] == ["$.assets[342].license"]


def _declared(project: Settings, *paths: Path) -> DeclaredInput:
    return declared_input(project, IngestRequest(manifest_paths=paths))


def test_a_manifest_may_be_a_link_within_its_folder_or_the_roots_and_nowhere_else(
    project: Settings, tmp_path: Path
) -> None:
    """Prevents that who may write into a folder of manifests has another file read, and parts of it told."""
    incoming, elsewhere = tmp_path / "incoming", tmp_path / "elsewhere"
    incoming.mkdir()
    elsewhere.mkdir()
    for folder in (incoming, elsewhere, project.project_root):
        (folder / "real.json").write_bytes(content_of(declared()))
    (elsewhere / "secret.json").write_text('{"password": "hunter2"}')
    (incoming / "latest.json").symlink_to("real.json")
    (incoming / "ours.json").symlink_to(project.project_root / "real.json")
    (incoming / "out.json").symlink_to(elsewhere / "real.json")
    (incoming / "secret.json").symlink_to(elsewhere / "secret.json")
    (incoming / "loop.json").symlink_to("loop.json")
    (tmp_path / "way").symlink_to(elsewhere)
    for allowed in (incoming / "latest.json", incoming / "ours.json", tmp_path / "way" / "real.json"):
        assert len(_declared(project, allowed).manifests) == 1
    for refused in ("out.json", "secret.json", "loop.json"):
        with pytest.raises(CommandUsageError) as refusal:
            _declared(project, incoming / refused)
        assert "hunter2" not in refusal.value.message
        assert "nothing was started" in refusal.value.message
    allowing = project.model_copy(update={"allowed_roots": (elsewhere,)})
    assert len(_declared(allowing, incoming / "out.json").manifests) == 1


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "absent"])
def test_what_is_no_file_is_no_manifest(project: Settings, tmp_path: Path, kind: str) -> None:
    """Prevents a command that waits for ever, or reads a device."""
    path = tmp_path / "m.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    with pytest.raises(CommandUsageError, match="nothing was started"):
        _declared(project, path)


def test_a_manifest_of_10_gib_is_refused_unread_and_its_sibling_is_read(project: Settings, tmp_path: Path) -> None:
    """Prevents a sparse file, which costs its author nothing, from taking all memory of the machine."""
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(10 * 2**30)
    (tmp_path / "good.json").write_bytes(content_of(declared()))
    found = _declared(project, tmp_path / "huge.json", tmp_path / "good.json")
    assert [manifest.path.name for manifest in found.manifests] == ["good.json"]
    (refused,) = found.refused
    assert [one.reason_code for one in refused.violations] == ["manifest_too_large"]
    assert f"got {10 * 2**30} bytes" not in refused.message  # said once, in the words of the reader
    assert f"it has {10 * 2**30} bytes, expected at most {MAX_DOCUMENT_BYTES}" in refused.message
