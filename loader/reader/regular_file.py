"""Opens a path for reading when, and only when, it names a regular file."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

CHUNK_BYTES = 1 << 20


class NotARegularFileError(OSError):
    """The path names a folder, device, pipe or socket. Nothing was read from it."""


def open_regular(path: Path) -> FileIO:
    """Open without ever blocking; a device is not even opened, because opening alone may act on it.

    The kind is checked again on the descriptor, so that a pipe swapped in after the first look is
    still refused. Raises NotARegularFileError, or the OSError of the system call.
    """
    _require_regular(os.stat(path).st_mode, path)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        _require_regular(os.fstat(descriptor).st_mode, path)
        return FileIO(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_chunks(file: FileIO, *, chunk_bytes: int = CHUNK_BYTES) -> Iterator[bytes]:
    """Yield the rest of the file, each chunk at most `chunk_bytes` long and never empty."""
    while chunk := file.read(chunk_bytes):
        yield chunk


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
