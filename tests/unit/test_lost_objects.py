"""The command that brings lost objects back."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from loader.raw_zone.lost_objects import _ingest_of, _LostObject

CONTENT = b'{"ticket_id":"TKT-20260417-000001"}\n'


def _lost(source: Path, *, has_source: bool, manifest: str | None) -> _LostObject:
    fingerprint = hashlib.sha256(CONTENT).hexdigest()
    return _LostObject("k", "missing", source.name, "m", source, fingerprint, has_source, manifest, "INPUT=f BATCH=b")


@pytest.mark.parametrize("name", ["f.jsonl", "it's $(a) file.jsonl", "back\\slash.jsonl", "two\nlines.jsonl"])
@pytest.mark.parametrize("manifest", ["m.json", None])
def test_what_lies_where_the_file_was_is_ingested_only_when_it_is_that_file(
    name: str, manifest: str | None, tmp_path: Path
) -> None:
    """Prevents other bytes from being landed by the command that was told to put the archive right."""
    make = tmp_path / "bin" / "make"
    make.parent.mkdir()
    make.write_text('#!/bin/sh\necho "made $*"\n')
    make.chmod(0o755)
    source = tmp_path / name
    command = _ingest_of([_lost(source, has_source=False, manifest=manifest)])

    def typed() -> tuple[bool, bool]:
        environment = {**os.environ, "PATH": f"{make.parent}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
        return done.returncode == 0, "made ingest " in done.stdout

    assert typed() == (False, False)
    source.write_bytes(b"other bytes\n")
    assert typed() == (False, False)
    source.write_bytes(CONTENT)
    assert typed() == (True, True), command


def test_files_that_are_there_need_no_check(tmp_path: Path) -> None:
    assert _ingest_of([_lost(tmp_path / "f", has_source=True, manifest="m.json")]) == "make ingest MANIFEST=m.json"
