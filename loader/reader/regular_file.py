"""Opens a path for reading when, and only when, it names a regular file; reads no more than lay there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path

from loader.bounds import MAX_DOCUMENT_BYTES

CHUNK_BYTES = 1 << 20


# Without blocking, and without making a terminal the process's own.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class NotARegularFileError(OSError):
    """The path names a folder, device, pipe or socket. Nothing was read from it."""


class LinkInTheWayError(OSError):
    """A part of a path that was to hold no link is one. Nothing was opened through it."""


class DocumentTooLargeError(OSError):
    """The file is too large to be parsed whole. Nothing was read from it."""


def open_regular(path: Path) -> FileIO:
    """Open without ever blocking; a device is not even opened, because opening alone may act on it.

    The kind is checked again on the descriptor, so that a pipe swapped in after the first look is
    still refused. Raises NotARegularFileError, or the OSError of the system call.
    """
    _require_regular(os.stat(path).st_mode, path)
    return _as_file(os.open(path, _READ), path)


def _as_file(descriptor: int, path: Path) -> FileIO:
    try:
        _require_regular(os.fstat(descriptor).st_mode, path)
        return FileIO(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def open_beneath(root: Path, parts: Sequence[str]) -> FileIO:
    """Open `root`/`parts` as open_regular, following no link below `root`, at whatever moment one is put there.

    Each folder is opened in the one above it, so the file is inside the root that was opened, however names are
    exchanged meanwhile. Raises LinkInTheWayError, NotARegularFileError, or the OSError of the system call.
    """
    folder = os.open(root, _FOLDER)
    try:
        for part in parts[:-1]:
            below = _open_at(folder, part, _FOLDER)
            os.close(folder)
            folder = below
        name = parts[-1] if parts else "."
        mode = _mode_at(folder, name)
        if not stat.S_ISLNK(mode):
            _require_regular(mode, root.joinpath(*parts))
        descriptor = _open_at(folder, name, _READ)
    finally:
        os.close(folder)
    return _as_file(descriptor, root.joinpath(*parts))


def read_chunks(file: FileIO, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield the rest of the file, each chunk at most `chunk_bytes` long and never empty.

    A file that grows meanwhile gives one byte more than it had when reading began: a comparison of size or SHA-256
    finds that it changed, and nobody reads for ever.
    """
    left = os.fstat(file.fileno()).st_size - file.tell() + 1
    while left > 0 and (chunk := file.read(min(chunk_bytes, left))):
        left -= len(chunk)
        yield chunk


def read_document(file: FileIO) -> bytes:
    """The content of an open file of at most MAX_DOCUMENT_BYTES, which is to be parsed whole; closes it.

    Raises DocumentTooLargeError, of which nothing was read.
    """
    with file:
        size = os.fstat(file.fileno()).st_size
        if size > MAX_DOCUMENT_BYTES:
            raise DocumentTooLargeError(f"it has {size} bytes, expected at most {MAX_DOCUMENT_BYTES}")
        return b"".join(read_chunks(file))


def _open_at(folder: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=folder)
    except OSError as error:
        # A link gives ELOOP, or ENOTDIR where a folder was asked for.
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and stat.S_ISLNK(_mode_at(folder, name)):
            raise LinkInTheWayError(f"{name!r} is a link") from error
        raise


def _mode_at(folder: int, name: str) -> int:
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode


def _require_regular(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise NotARegularFileError(f"{os.fspath(path)!r} is {_kind(mode)}, expected a regular file")


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a named pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
    }
    return kinds.get(stat.S_IFMT(mode), "a special file")
