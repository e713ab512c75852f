"""The process that reads facts, and what a file may do to it.

It holds the libraries and reads nothing: for each file it makes a child of itself, with the bounds of one file, and the
child ends with it. So a file finds the same memory and the same clean libraries whatever came before, and one that
crashes, loops or grows ends a process that nobody needs. A child costs 2 ms where a new interpreter costs 300.

It bounds what a careless or broken file costs. It is no sandbox: a file that takes a library over can do what this user
can.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import logging
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from loader.bounds import FactsLimits
from loader.companion import Companion
from loader.errors import InfrastructureError, LoaderError
from loader.facts.model import Facts, FactsDefect
from loader.facts.readers import READERS, read_facts_here

# Beyond the time that a file has, before its process is given up: its children end by themselves.
_PATIENCE_SECONDS = 15
# More than any answer has; what a child that was taken over writes is not kept.
_ANSWER_BYTES = 2**16
_PR_SET_PDEATHSIG = 1

Answer = Facts | FactsDefect


class FactsReader:
    """Reads facts, by a process that begins with the first file and ends with the context. Not for two threads.

    The files must be such that nobody writes to them meanwhile: objects of the raw zone, or bytes that are compared
    with their fingerprint afterwards.
    """

    def __init__(self, limits: FactsLimits | None = None, *, serve: Callable[[Connection], None] | None = None) -> None:
        self._limits = limits or FactsLimits()
        self._serve = serve or serve_facts
        self._companion: Companion | None = None

    def __enter__(self) -> FactsReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the process; the next file starts another."""
        if self._companion is not None:
            self._companion.kill()
            self._companion.connection.close()
            self._companion = None

    def read(self, path: Path, reader: str, asset_type: str) -> Answer:
        """The facts of the file, or why it has none; a file that ends, outgrows or outlasts its process has
        `facts_limit`.

        Raises InfrastructureError where the machine cannot read it or a library is missing: that says nothing about the
        file. KeyError where no reader has this name or asset type. After each, the next file can be read.
        """
        if self._companion is None:
            self._companion = Companion(self._serve)
        try:
            self._companion.connection.send((path.absolute(), reader, asset_type, self._limits))
            if self._companion.connection.poll(self._limits.wall_seconds + _PATIENCE_SECONDS):
                answer: Answer | Exception = self._companion.connection.recv()
            else:
                answer = _no_answer("does not answer")
        except (EOFError, OSError):
            answer = _no_answer("was ended")
        except BaseException:
            # An interrupt: the answer that is still to come is not that of the next file.
            self.close()
            raise
        if isinstance(answer, Exception):
            self.close()
            raise answer
        return answer


def _no_answer(what: str) -> InfrastructureError:
    return InfrastructureError(
        f"the process that reads facts {what}, and a file does not make it do so. Nothing is said about the file",
        next_command="make status",
    )


def serve_facts(connection: Connection) -> None:
    """The process: a file's place comes, its facts or its defect go."""
    serve_with(connection, read_facts_here)


def serve_with(connection: Connection, read: Callable[[Path, str, str], Answer]) -> None:
    """The same with another function that reads."""
    # Libraries tell what they find in files; nobody reads it.
    logging.disable()
    prepared: set[str] = set()
    with suppress(EOFError, BrokenPipeError):
        while True:
            path, reader, asset_type, limits = connection.recv()
            try:
                if reader not in prepared:
                    READERS[reader].prepare()
                    prepared.add(reader)
                    # What children do not touch stays shared with them.
                    gc.freeze()
                connection.send(_read_in_child(partial(read, path, reader, asset_type), limits))
            except (KeyError, LoaderError) as error:
                connection.send(error)


def _read_in_child(read: Callable[[], Answer], limits: FactsLimits) -> Answer:
    """What `read` returns or raises, or what became of the child."""
    ours, theirs = os.pipe()
    process = os.getpid()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _be_child(read, limits, theirs, process)
    os.close(theirs)
    with open(ours, "rb") as pipe:
        said = pipe.read(_ANSWER_BYTES)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0:
        answer: Answer | Exception = pickle.loads(said)
        if isinstance(answer, Exception):
            raise answer
        return answer
    return _of_ended(status, limits)


def _of_ended(status: int, limits: FactsLimits) -> FactsDefect:
    """Why a child ended without an answer."""
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if ended_by == signal.SIGKILL:
        # The bounds send other signals: it was a person, or a machine that has no memory left.
        raise _no_answer("was killed")
    if ended_by == signal.SIGALRM:
        return FactsDefect("facts_limit", f"reading its facts took more than {limits.wall_seconds} seconds")
    if ended_by == signal.SIGXCPU:
        return FactsDefect("facts_limit", f"reading its facts took more than {limits.cpu_seconds} seconds of processor")
    return FactsDefect("facts_limit", "the library that reads its facts crashed on it, or had no more memory")


def _be_child(read: Callable[[], Answer], limits: FactsLimits, answers: int, process: int) -> NoReturn:
    """Read, answer and end, within the bounds, whatever happens."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _end_with(process)
        _bound(limits)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        said = pickle.dumps(_answer(read, limits))
        os.write(answers, said)
        code = 0
    finally:
        os._exit(code)


def _answer(read: Callable[[], Answer], limits: FactsLimits) -> Answer | Exception:
    try:
        return read()
    except (KeyError, LoaderError) as error:
        return error
    except (MemoryError, OSError) as error:
        if isinstance(error, MemoryError) or error.errno in (errno.ENOMEM, errno.EFBIG):
            bound = f"{limits.memory_bytes:,} bytes of memory, or a file to write to"
            return FactsDefect("facts_limit", f"reading its facts needs more than {bound}")
        return InfrastructureError(
            f"the file cannot be read for its facts ({error.strerror or type(error).__name__}); nothing is said of it",
            next_command="make status",
        )


def _end_with(process: int) -> None:
    """Where the system knows of it; elsewhere a child whose process is gone ends at its bounds."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != process:
        # It was gone before this could be asked for.
        raise SystemExit


def _bound(limits: FactsLimits) -> None:
    """The kernel keeps each of them, whatever a library does; macOS takes none on addresses."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(limits.wall_seconds)
    bounds = {
        resource.RLIMIT_CPU: limits.cpu_seconds,
        # No image of the memory on the disk, and nothing else there.
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
    }
    if sys.platform != "darwin":
        bounds[resource.RLIMIT_AS] = limits.memory_bytes
    for which, most in bounds.items():
        _, hard = resource.getrlimit(which)
        # The soft one: at the hard one of the processor's time the signal would be SIGKILL.
        resource.setrlimit(which, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
