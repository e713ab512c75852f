"""Where a made manifest lies: paths that move with it, a file that is never overwritten, the command."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from loader.cli.manifest_command import command
from loader.errors import CommandUsageError, InfrastructureError, RefusedError
from loader.gate import inspect_manifest
from loader.manifest.build import BatchTerms, build_manifest
from loader.manifest.files import write_manifest
from tests.unit.manifest_building import (
    DAY,
    OWNED,
    ROOT,
    build,
    judged,
)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LOADER_")]:
        monkeypatch.delenv(name)


def test_paths_are_relative_where_data_and_manifest_move_together(exports: Path, tmp_path: Path) -> None:
    """Prevents a manifest that breaks when the project is cloned elsewhere."""
    sample = ROOT / "data" / "canonization" / "documents"
    in_project = build_manifest(
        sample,
        ROOT / "data" / "seed_manifests" / "x.json",
        project_root=ROOT,
        terms=BatchTerms(contract_ref="document_v1"),
    )
    assert in_project.manifest.root is None
    assert in_project.manifest.assets[0].source_url_or_path.startswith("../canonization/documents/")
    beside = build(exports)
    assert (beside.manifest.root, beside.manifest.assets[0].source_url_or_path) == (None, f"exports/{DAY}")
    assert beside.roots_to_allow == ()
    (tmp_path / "link").symlink_to(exports)
    through_link = build(tmp_path / "link", out=tmp_path / "link" / "m.json")
    assert (through_link.manifest.root, through_link.manifest.assets[0].source_url_or_path) == (None, DAY)


def test_a_folder_outside_is_written_as_root_and_must_be_allowed(exports: Path, tmp_path: Path) -> None:
    """Prevents a manifest that reads a folder which nobody allowed, or a refusal without a way out."""
    built = build(exports, out=tmp_path / "elsewhere" / "m.json")
    assert built.manifest.root == str(exports)
    assert built.manifest.assets[0].source_url_or_path == DAY
    assert built.roots_to_allow == (exports,)
    assert judged(inspect_manifest(built.manifest, ROOT)) == {DAY: ("withheld", ("path_outside_roots",))}
    assert judged(inspect_manifest(built.manifest, ROOT, built.roots_to_allow)) == {DAY: ("admitted", ())}
    allowed = build_manifest(
        exports, tmp_path / "elsewhere" / "m.json", project_root=ROOT, terms=OWNED, allowed_roots=[tmp_path]
    )
    assert allowed.roots_to_allow == ()
    assert allowed.manifest.content == built.manifest.content


def test_a_written_manifest_is_never_changed(exports: Path) -> None:
    """Prevents a manifest that shrinks under an id, or a colleague's file that is overwritten."""
    first = build(exports)
    assert write_manifest(first.manifest) is True
    assert write_manifest(first.manifest) is False
    (exports / DAY).write_bytes(b"")
    with pytest.raises(RefusedError, match="already has other content") as raised:
        write_manifest(build(exports).manifest)
    assert raised.value.exit_code == 4
    assert (exports.parent / "m.json").read_bytes() == first.manifest.content
    assert sorted(path.name for path in exports.parent.iterdir()) == ["exports", "m.json"]


def test_writing_makes_folders_and_leaves_no_part_behind(exports: Path, tmp_path: Path) -> None:
    """Prevents half a manifest after a crash or a full disk."""
    built = build(exports, out=tmp_path / "a" / "b" / "m.json")
    assert write_manifest(built.manifest) is True
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["m.json"]
    assert (tmp_path / "a" / "b" / "m.json").read_bytes() == built.manifest.content


@pytest.mark.parametrize("code", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_file_system_without_links_is_written_to_all_the_same(
    exports: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Prevents a command that fails on a mounted folder, and a fallback that overwrites."""

    def refuse(source: Path, target: Path) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    first = build(exports)
    assert write_manifest(first.manifest) is True
    (exports / DAY).write_bytes(b"")
    with pytest.raises(RefusedError):
        write_manifest(build(exports).manifest)
    assert first.manifest.path.read_bytes() == first.manifest.content


def test_a_place_that_cannot_be_written_is_named(exports: Path, tmp_path: Path) -> None:
    """Prevents a traceback for a wrong OUT."""
    with pytest.raises(CommandUsageError, match="is a folder, expected a file name"):
        write_manifest(build(exports, out=exports).manifest)
    with pytest.raises(InfrastructureError, match="cannot write"):
        write_manifest(build(exports, out=exports / DAY / "m.json").manifest)


def test_the_command_says_what_it_declared_what_it_left_out_and_what_comes_next(
    exports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Prevents a silent choice of files."""
    (exports / "notes.txt").touch()
    out = tmp_path / "elsewhere" / "m.json"
    assert command.main(["--from", str(exports), "--out", str(out)], standalone_mode=False) == 0
    said = capsys.readouterr().out
    assert "left out   its ending is none of the contract's:\n1 file: 'notes.txt'\n" in said
    assert said.splitlines()[-1] == f"next: LOADER_ALLOWED_ROOTS={exports} make dry-run MANIFEST={out}"
    assert command.main(["--from", str(exports), "--out", str(out), "--json"], standalone_mode=False) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["is_written"], told["asset_count"], told["record_count"]) == (False, 1, 1)
    assert told["ignored"] == [{"name": "notes.txt", "reason": "its ending is none of the contract's"}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--window-start", "2026-04-17T00:00:00Z"], "go together"),
        (["--window-start", "yesterday", "--window-end", "2026-04-17T00:00:00Z"], "yesterday"),
    ],
)
def test_a_window_that_is_none_is_a_usage_error(exports: Path, words: list[str], message: str) -> None:
    """Prevents half a window that is taken for none."""
    out = exports.parent / "m.json"
    with pytest.raises(CommandUsageError, match=message):
        command.main(["--from", str(exports), "--out", str(out), *words], standalone_mode=False)
    assert not out.exists()
