"""Files that appear whole or not at all, and survive a power cut once they appear; and what goes into them: the bytes
that the gate inspected, or content, compressed always in the same way."""

from __future__ import annotations

import fcntl
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from loader.errors import CheckFailedError
from loader.gate import Inspection
from loader.reader import NotARegularFileError, open_regular, read_chunks

_PART_SUFFIX = ".part"
_PRIVATE_FOLDER = 0o700
# zlib's own header: no file name, time 0.
_GZIP_WITHOUT_NAME = 31
# Errors that say "the source is no longer what the gate saw", not "a disk or this machine is in trouble".
_SOURCE_GONE = (FileNotFoundError, NotADirectoryError, PermissionError, NotARegularFileError)


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


class SourceChangedError(CheckFailedError):
    """A source no longer has the bytes that the gate judged. Nothing was archived; `reason_code` says why."""

    reason_code = "source_changed_while_reading"


def copy_inspected(source: Path, inspected: Inspection, part: PartFile) -> None:
    """Write the bytes that the gate inspected; raises SourceChangedError where the source has others by now."""
    digest = hashlib.sha256()
    copied_bytes = 0
    try:
        file = open_regular(source)
    except _SOURCE_GONE as error:
        raise _changed(source, inspected, str(error)) from error
    with file:
        for chunk in read_chunks(file):
            copied_bytes += len(chunk)
            # A source that grows while it is read would otherwise fill the disk.
            if copied_bytes > inspected.size_bytes:
                raise _changed(source, inspected, f"more than {inspected.size_bytes} bytes")
            digest.update(chunk)
            part.write(chunk)
    if digest.hexdigest() != inspected.fingerprint:
        raise _changed(source, inspected, f"{copied_bytes} bytes, SHA-256 {digest.hexdigest()}")


def gzipped(content: Iterable[bytes]) -> Iterator[bytes]:
    """One member without a name or a time: the same content always gives the same bytes."""
    compressor = zlib.compressobj(wbits=_GZIP_WITHOUT_NAME)
    for chunk in content:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _changed(source: Path, inspected: Inspection, got: str) -> SourceChangedError:
    return SourceChangedError(
        f"{os.fspath(source)!r} changed after the gate judged it: got {got}, "
        f"expected {inspected.size_bytes} bytes, SHA-256 {inspected.fingerprint}; it was not archived",
        next_command="make dry-run",
    )
