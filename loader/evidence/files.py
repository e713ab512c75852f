"""Report files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from loader.errors import CommandUsageError, InfrastructureError
from loader.printable import pasted


def require_writable(report_dir: Path) -> None:
    """Prove that reports can be written before any work starts; the folder is made.

    Raises InfrastructureError, or CommandUsageError for a path that no report could name.
    """
    try:
        os.fspath(report_dir).encode()
    except UnicodeEncodeError as error:
        raise CommandUsageError(
            f"LOADER_REPORT_DIR: got {os.fspath(report_dir)!a}, expected UTF-8; nothing was started",
            next_command="unset LOADER_REPORT_DIR",
        ) from error
    try:
        report_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=report_dir):
            pass
    except OSError as error:
        raise _unwritable(report_dir, error, "nothing was started: a run without evidence proves nothing") from error


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write `record` at `path` as write_file does."""
    write_file(path, orjson.dumps(record, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def write_file(path: Path, content: bytes) -> None:
    """Write `content` at `path`, replacing what is there in one step; folders are made.

    Raises InfrastructureError for a fault of the disk: what stood at `path` stays, no part is left.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _sync(path.parent)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error, "this report was not written; rows that were completed stay") from error


def _sync(folder: Path) -> None:
    """So that the name survives a power cut: nobody writes a file again that counts as written."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(path: Path, error: OSError, consequence: str) -> InfrastructureError:
    folder = pasted(path if path.is_dir() else path.parent)
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return InfrastructureError(
        f"cannot write {os.fspath(path)!r}: {error.strerror}; {consequence}",
        next_command=f"{'df -h' if is_full else 'ls -ld'} {folder}   # or set LOADER_REPORT_DIR",
    )
