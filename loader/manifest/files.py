"""Manifests as files: those that a command without MANIFEST takes, and a new one, whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from uuid import uuid4

from loader.errors import CommandUsageError, InfrastructureError, RefusedError
from loader.manifest.model import Manifest
from loader.printable import pasted


def manifests_folder(project_root: Path) -> Path:
    """Where they lie, whether it exists or not."""
    return project_root / "data" / "seed_manifests"


def is_hidden(path: Path) -> bool:
    """Whether it is nobody's manifest: an editor's lock (`.#x.json`, a link that leads nowhere), what another system
    keeps beside a file (`._x.json`)."""
    return path.name.startswith(".")


def seed_manifests(project_root: Path) -> list[Path]:
    """The folder's `.json` files in the order of their names, without hidden ones; opens none."""
    return sorted(path for path in manifests_folder(project_root).glob("*.json") if not is_hidden(path))


def write_manifest(manifest: Manifest) -> bool:
    """Write the manifest's bytes to its path; False when they already stand there.

    Missing folders are made. Raises RefusedError when the file has other content, whoever wrote it and
    whenever: it stays as it is. CommandUsageError when the path is a folder, InfrastructureError for a fault
    of the disk; then the path is untouched.
    """
    path = manifest.path
    if path.is_dir():
        raise CommandUsageError(
            f"--out: {os.fspath(path)!r} is a folder, expected a file name; no manifest was written",
            next_command=f"make manifest FROM=<folder of exports> OUT={pasted(path / 'manifest.json')}",
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        _write_new(path, manifest.content)
        return True
    except FileExistsError:
        if _content(path) == manifest.content:
            return False
        raise RefusedError(
            f"{os.fspath(path)!r} already has other content, expected {manifest.manifest_id} or no file; it "
            "was left as it is: a changed folder is a new batch with a new manifest",
            next_command="make manifest FROM=<folder of exports> OUT=<a new file name>",
        ) from None
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> InfrastructureError:
    return InfrastructureError(
        f"cannot write {os.fspath(path)!r}: {error.strerror}; no manifest was written",
        next_command="make manifest FROM=<folder of exports> OUT=<a writable place>",
    )


def _write_new(path: Path, content: bytes) -> None:
    part = path.with_name(f".{uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _name_new(part, path)
    finally:
        part.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _name_new(part: Path, path: Path) -> None:
    """A hard link fails if the name is taken, a rename would replace; some file systems have no links."""
    try:
        os.link(part, path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path)) from error
        os.rename(part, path)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
