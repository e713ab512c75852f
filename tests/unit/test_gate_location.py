"""A declared path is read only when it really leads into an allowed root."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loader.errors import InfrastructureError
from loader.gate import AssetRefusedError, allowed_roots, locate, open_within


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """project/manifests (the manifest's folder, with export.jsonl) beside outside/secret.jsonl."""
    (tmp_path / "project" / "manifests").mkdir(parents=True)
    (tmp_path / "project" / "manifests" / "export.jsonl").write_bytes(b"{}\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.jsonl").write_bytes(b"secret\n")
    return tmp_path


def reason_of(declared: str, base_folder: Path, roots: tuple[Path, ...]) -> str | None:
    try:
        with open_within(locate(declared, base_folder, roots), roots):
            return None
    except AssetRefusedError as error:
        assert error.message
        return error.reason_code


def test_paths_resolve_against_the_base_folder(house: Path) -> None:
    """Prevents a path that depends on the folder in which the command was typed."""
    folder = house / "project" / "manifests"
    assert locate("export.jsonl", folder, (house,)) == folder / "export.jsonl"
    assert locate("./export.jsonl", folder, (house,)) == folder / "export.jsonl"
    assert locate("../manifests//export.jsonl", folder, (house,)) == folder / "export.jsonl"
    assert locate(str(folder / "export.jsonl"), house, (house,)) == folder / "export.jsonl"


@pytest.mark.parametrize(
    ("declared", "reason_code"),
    [
        ("export.jsonl", None),
        ("../manifests/export.jsonl", None),
        ("../../outside/secret.jsonl", "path_outside_roots"),
        ("../../outside/absent.jsonl", "path_outside_roots"),
        ("/etc/passwd", "path_outside_roots"),
        ("/dev/zero", "path_outside_roots"),
        ("../../project-evil/x.jsonl", "path_outside_roots"),
        ("absent.jsonl", "asset_missing"),
        ("export.jsonl/below", "asset_missing"),
        (".hidden/export.jsonl", "path_outside_roots"),
        ("../.git/config", "path_outside_roots"),
        (".export.jsonl", "path_outside_roots"),
        ("", "not_a_file"),
        (".", "not_a_file"),
        ("~/export.jsonl", "asset_missing"),
        ("x" * 300, "invalid_path"),
        ("export.jsonl\0", "invalid_path"),
        ("export\ud800.jsonl", "invalid_path"),
        ("export\udc80.jsonl", "invalid_path"),
        ("http://example.com/export.jsonl", "scheme_not_allowed"),
        ("https:export.jsonl", "scheme_not_allowed"),
        ("s3://bucket/export.jsonl", "path_outside_roots"),
        ("S3A://bucket/export.jsonl", "path_outside_roots"),
        ("gs://bucket/export.jsonl", "path_outside_roots"),
        ("s3:export.jsonl", "scheme_not_allowed"),
        ("file:///etc/passwd", "scheme_not_allowed"),
        ("FILE:export.jsonl", "scheme_not_allowed"),
        ("C:\\export.jsonl", "scheme_not_allowed"),
        ("hTtPs://example.com/export.jsonl", "scheme_not_allowed"),
        ("gopher:x", "scheme_not_allowed"),
        ("data:,x", "scheme_not_allowed"),
        ("git+ssh://host/x", "scheme_not_allowed"),
        ("a:b.jsonl", "scheme_not_allowed"),
        ("//host/share/export.jsonl", "path_outside_roots"),
        (" http://example.com/export.jsonl", "asset_missing"),
        ("/proc/self/environ", "path_outside_roots"),
        ("/proc/self/cwd/../outside/secret.jsonl", "path_outside_roots"),
        ("../" * 1000 + "etc/passwd", "path_outside_roots"),
        ("x/" * 2000, "asset_missing"),
        ("x/" * 3000, "asset_missing"),
        ("./a:b.jsonl", "asset_missing"),
    ],
)
def test_each_path_has_its_reason(house: Path, declared: str, reason_code: str | None) -> None:
    """Prevents a manifest from reading files that its author could not read himself."""
    folder = house / "project" / "manifests"
    roots = allowed_roots(house / "project", folder / "manifest.json")
    assert reason_of(declared, folder, roots) == reason_code


def test_links_count_for_where_they_lead(house: Path) -> None:
    """Prevents a symbolic link from leading out of the roots, for a file and for a folder on the way."""
    folder = house / "project" / "manifests"
    roots = allowed_roots(house / "project", folder / "manifest.json")
    (folder / "out.jsonl").symlink_to(house / "outside" / "secret.jsonl")
    (folder / "way").symlink_to(house / "outside")
    (folder / "dangling.jsonl").symlink_to(house / "project" / "nothing")
    (folder / "loop").symlink_to(folder / "loop")
    (house / "project" / "in.jsonl").symlink_to(folder / "export.jsonl")
    assert reason_of("out.jsonl", folder, roots) == "path_outside_roots"
    assert reason_of("way/secret.jsonl", folder, roots) == "path_outside_roots"
    assert reason_of("dangling.jsonl", folder, roots) == "asset_missing"
    assert reason_of("loop", folder, roots) == "invalid_path"
    assert reason_of("../in.jsonl", folder, roots) is None
    allowed = allowed_roots(house / "project", folder / "manifest.json", [house / "outside"])
    assert reason_of("way/secret.jsonl", folder, allowed) is None


def test_roots_are_the_project_the_manifest_folder_and_the_allowed_ones(house: Path) -> None:
    """Prevents a root that is itself a link from never matching a real path."""
    (house / "link").symlink_to(house / "project")
    assert allowed_roots(house / "link", house / "outside" / "m.json", [house / "more", house / "project"]) == (
        house / "project",
        house / "outside",
        house / "more",
    )


def test_a_hidden_folder_is_read_when_it_is_itself_allowed(house: Path) -> None:
    """Prevents that exports below a folder like ~/.cache can never be read: who runs the loader may say so."""
    export = house / "project" / ".local" / "exports" / "export.jsonl"
    export.parent.mkdir(parents=True)
    export.write_bytes(b"{}\n")
    manifest = house / "project" / "manifests" / "manifest.json"
    declared = "../.local/exports/export.jsonl"
    project = house / "project"
    with pytest.raises(AssetRefusedError) as caught:
        locate(declared, manifest.parent, allowed_roots(project, manifest))
    assert caught.value.reason_code == "path_outside_roots"
    # One sentence for all files of the folder, and the folder that would do.
    assert caught.value.message == f"{str(export.parent)!r} is hidden below the allowed root {project}"
    assert caught.value.folder == export.parent
    with pytest.raises(AssetRefusedError) as caught:
        locate("exports/export.jsonl", project / ".local", allowed_roots(project, manifest))
    assert caught.value.folder == project / ".local"
    allowed = allowed_roots(project, manifest, [project / ".local" / "exports"])
    assert reason_of(declared, manifest.parent, allowed) is None
    assert reason_of("exports/export.jsonl", project / ".local", allowed_roots(house, project / ".local" / "m")) is None


def test_a_hard_link_is_the_file_itself(house: Path) -> None:
    """Documents the one way that no path check can see; the system's protected_hardlinks is what forbids it."""
    os.link(house / "outside" / "secret.jsonl", house / "project" / "manifests" / "hard.jsonl")
    assert reason_of("hard.jsonl", house / "project" / "manifests", (house / "project",)) is None


def test_devices_and_pipes_inside_the_roots_are_not_opened(house: Path) -> None:
    """Prevents a dry run that hangs, or that reads a device for ever."""
    os.mkfifo(house / "pipe")
    (house / "device").symlink_to("/dev/zero")
    assert reason_of("pipe", house, (house,)) == "not_a_file"
    assert reason_of("device", house, (Path("/"),)) == "not_a_file"


@pytest.mark.parametrize(("swap", "reason_code"), [("link", "path_outside_roots"), ("file", None)])
def test_a_link_swapped_in_between_check_and_open_is_found(
    house: Path, monkeypatch: pytest.MonkeyPatch, swap: str, reason_code: str | None
) -> None:
    """Prevents the race in which the checked path is not the opened one."""
    export = house / "project" / "manifests" / "export.jsonl"
    roots = (house / "project",)
    located = locate("export.jsonl", export.parent, roots)
    export.unlink()
    if swap == "link":
        export.symlink_to(house / "outside" / "secret.jsonl")
    else:
        export.write_bytes(b"new but inside\n")
    if reason_code is None:
        with open_within(located, roots) as file:
            assert file.read() == b"new but inside\n"
        return
    with pytest.raises(AssetRefusedError) as caught:
        open_within(located, roots)
    assert caught.value.reason_code == reason_code


@pytest.mark.parametrize("exchanged", ["folder", "file"])
def test_a_link_that_is_there_whenever_it_helps_its_author_is_never_followed(
    house: Path, monkeypatch: pytest.MonkeyPatch, exchanged: str
) -> None:
    """Prevents the race that a check after the open loses: outside while it is opened, inside while its real path is
    taken, outside again while that is compared with what was opened."""
    folder = house / "project" / "manifests"
    (house / "outside" / "export.jsonl").write_bytes(b"secret\n")
    name = folder if exchanged == "folder" else folder / "export.jsonl"
    target = house / "outside" if exchanged == "folder" else house / "outside" / "export.jsonl"
    aside = house / "aside"
    roots = (house / "project",)
    located = locate("export.jsonl", folder, roots)
    is_out = False

    def exchanging(call: Callable[..., Any], to_outside: bool) -> Callable[..., Any]:
        def exchanged_call(*arguments: Any, **options: Any) -> Any:
            nonlocal is_out
            if to_outside and not is_out:
                os.rename(name, aside)
                os.symlink(target, name)
            elif is_out and not to_outside:
                os.unlink(name)
                os.rename(aside, name)
            is_out = to_outside
            return call(*arguments, **options)

        return exchanged_call

    with monkeypatch.context() as patch, pytest.raises(AssetRefusedError) as caught:
        for module, function, to_outside in ((os, "open", True), (os.path, "realpath", False), (os, "stat", True)):
            patch.setattr(module, function, exchanging(getattr(module, function), to_outside))
        with open_within(located, roots) as file:
            assert file.read() != b"secret\n"
    # By then the file lies where it should, or is behind the link again.
    assert caught.value.reason_code in ("invalid_path", "source_changed_while_reading", "path_outside_roots")


@contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Without root's privileges, which would read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_file_without_permission_is_unreadable_not_missing(closed: str) -> None:
    """Prevents an operator from searching for a file that is there."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # reachable by other users, unlike tmp_path
    try:
        folder.chmod(0o755)
        export = folder / "below" / "export.jsonl"
        export.parent.mkdir()
        export.write_bytes(b"{}\n")
        (export if closed == "file" else export.parent).chmod(0)
        with an_ordinary_user():
            assert reason_of("below/export.jsonl", folder, (folder,)) == "asset_unreadable"
    finally:
        (folder / "below").chmod(0o700)
        shutil.rmtree(folder)


def test_a_fault_of_the_disk_is_infrastructure(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prevents too many open files, or a dying disk, from being told as a missing asset."""

    def fail(*arguments: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(InfrastructureError, match="was not judged"):
        open_within(house / "outside" / "secret.jsonl", (house,))
