"""Files that appear whole or not at all, and survive a power cut once they appear."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from uuid import uuid4

_PART_SUFFIX = ".part"
_PRIVATE_FOLDER = 0o700


class PartFile:
    """A file being written in `folder`, locked for as long as its writer lives.

    The kernel drops the lock when the process dies, by whatever end: that is how sweep_parts tells a dead
    writer's leftover from a living writer's file. Left without publish, it is removed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> PartFile:
        self.path, self._descriptor = _create_locked(self._folder)
        self._is_published = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._is_published:
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)

    def write(self, data: bytes) -> None:
        """Append all of `data`; os.write alone may take a part."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def publish(self, target: Path, mode: int, modified_at: int) -> None:
        """Give the complete file its final name, atomically; the caller syncs the folders above it. `modified_at`: its
        time, in seconds since 1970."""
        os.fchmod(self._descriptor, mode)
        os.utime(self._descriptor, (modified_at, modified_at))
        os.fsync(self._descriptor)
        os.rename(self.path, target)
        self._is_published = True


def make_folders(folder: Path) -> None:
    """Create missing folders down to `folder`, closed to other users. Several processes may do it at once."""
    if not folder.is_dir():
        make_folders(folder.parent)
        folder.mkdir(mode=_PRIVATE_FOLDER, exist_ok=True)
        _sync(folder.parent)


def sync_folders(folder: Path, top: Path) -> None:
    """Put the entries of `folder` and of each folder above it, up to `top`, on disk.

    All of them, also those that this process did not create: the one that did may have died before its sync.
    """
    _sync(folder)
    if folder != top:
        sync_folders(folder.parent, top)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep_parts(folder: Path) -> int:
    """Remove the part files in `folder` that no living process holds; return how many."""
    removed_count = 0
    for path in sorted(folder.glob(f"*{_PART_SUFFIX}")):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            removed_count += 1
        except (BlockingIOError, FileNotFoundError):
            continue
        finally:
            os.close(descriptor)
    return removed_count


def _create_locked(folder: Path) -> tuple[Path, int]:
    while True:
        path = folder / f"{uuid4().hex}{_PART_SUFFIX}"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A sweep between creation and lock removes the file; then another one is made.
            if os.fstat(descriptor).st_nlink == 1:
                return path, descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
