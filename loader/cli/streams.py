"""Standard input, output and error as a command finds them: closed, or with a reader that ends before the command."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, cast

from loader.errors import OutputError

# The reader of a pipe, a socket or a terminal has gone.
_READER_ENDED = (errno.EPIPE, errno.ECONNRESET, errno.EIO)


def outlive_readers() -> None:
    """Let no command depend on who reads it: what nobody reads any more is dropped, and the exit code stays what the
    command found. A full disk is told where results go, and ignored where errors go: they could not be told.

    Descriptors that were closed lead nowhere from now on; otherwise the next file or connection would get their
    numbers, and what is printed.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest number that is free; also of the processes that are started.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = _outliving(sys.stdout, 1, _READER_ENDED)
    sys.stderr = _outliving(sys.stderr, 2, None)


class _Outliving(io.FileIO):
    """A descriptor that leads nowhere once writing failed; an error that is none of `codes` is raised as OutputError
    (None: no error is)."""

    def __init__(self, descriptor: int, codes: tuple[int, ...] | None) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._codes = codes

    def write(self, data: Any, /) -> int:
        size = len(memoryview(data).cast("B"))
        if not size:
            # Click asks by it what a stream takes, and tells nobody of the answer.
            return 0
        try:
            return super().write(data)
        except OSError as error:
            place = _place_of(self.fileno())
            # Also where it is told: what is left in the buffer would be told again at the end.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if self._codes is not None and error.errno not in self._codes:
                raise OutputError(
                    f"standard output{place}: got {error.strerror}, expected to write there; what the command did"
                    " stands, its answer was not written",
                    next_command="make status   # and for that answer: the same command, its output elsewhere",
                ) from error
            return size


def _place_of(descriptor: int) -> str:
    """The file that it leads to, in brackets, where the system tells that."""
    try:
        return f" ({os.readlink(f'/proc/self/fd/{descriptor}')})"
    except OSError:
        return ""


def _outliving(stream: Any, descriptor: int, codes: tuple[int, ...] | None) -> Any:
    """`stream` as it is set (encoding, buffering), over an _Outliving; as it is where something else stands for it, as
    in a test."""
    if stream is None:
        return os.fdopen(descriptor, "w", closefd=False, encoding="utf-8", errors="backslashreplace")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    try:
        if stream.fileno() != descriptor:
            return stream
    except (OSError, ValueError):
        return stream
    stream.flush()
    raw = _Outliving(descriptor, codes)
    return io.TextIOWrapper(
        # As PYTHONUNBUFFERED has it, nothing is held back.
        cast(Any, raw) if isinstance(stream.buffer, io.RawIOBase) else io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
