"""A Python process beside this one, with a connection to it.

Not multiprocessing's own: that runs the caller's main script again, which an interactive session does not have.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from loader.collector import collect_rarely, end_without_collecting
from loader.environment import own_environment

# Where this package is found, whatever else is installed.
_ROOT = Path(__file__).resolve().parents[1]


class Companion:
    """Runs `serve(connection)`, a function of a module, and ends when it returns.

    It never outlives this process, however that ends, and gets no Ctrl-C from a terminal: this process decides. Its
    environment is ours (loader/environment.py); its modules are those of the interpreter and of this package, not of a
    PYTHONPATH or the current folder.
    `connection` carries pickled objects both ways; at the other's end it raises EOFError or OSError.
    """

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        self._process = subprocess.Popen(
            [
                sys.executable,
                # No module from the current folder, none from the user's own; names of files are read as here.
                *("-P", "-s", "-X", f"utf8={sys.flags.utf8_mode}"),
                # It warns of semaphores that an ended process leaves: they are removed, and nobody has to know.
                *("-W", "ignore:resource_tracker"),
                *("-m", __name__, str(theirs.fileno()), f"{serve.__module__}:{serve.__name__}"),
            ],
            # Never written to: its end is this process's end.
            stdin=subprocess.PIPE,
            pass_fds=(theirs.fileno(),),
            process_group=0,
            env=_environment(),
        )
        theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def exit_code(self) -> int:
        """Waits for its end."""
        return self._process.wait()

    def kill(self) -> None:
        """End it now, whatever it does; who waits at this end of the connection gets EOFError."""
        self._process.kill()
        self._process.wait()


def _environment() -> dict[str, str]:
    return {**own_environment(os.environ), "PYTHONPATH": str(_ROOT)}


def _main(descriptor: str, target: str) -> None:
    # A shell starts what it puts into the background deaf to interrupts, and its children with it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    collect_rarely()
    module, name = target.split(":")
    # An interrupt is this process's order to stop; the parent knows why.
    with suppress(KeyboardInterrupt):
        getattr(importlib.import_module(module), name)(Connection(int(descriptor)))
    end_without_collecting()


def _end_with_parent() -> None:
    # Not through sys.stdin, whose lock this thread would still hold when the process ends by itself.
    os.read(0, 1)
    os._exit(3)


if __name__ == "__main__":
    _main(*sys.argv[1:])
