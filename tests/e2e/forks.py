"""dbt's process for a command that is a fork (commands.py): a fork as well, of a process that has dbt imported, in a
checkout whose project was parsed before."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from unittest.mock import patch

from tests.checkouts import ROOT

_RUST = "dbt.parser.models.ModelParser.run_static_parser"
# What dbt made of a project, wherever that lies: of any other one it counts for nothing.
_PARSED = "parsed_project"
# Templates as code, by their texts (loader/silver/thrift.py): those of one checkout are those of all.
_TEMPLATES = "templates"


class Fork:
    """What loader.companion.Companion is to its caller."""

    def __init__(self, serve: Callable[[Connection], None]) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        # Its end is this process's end.
        last_breath, held = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(held)
            self.connection.close()
            _serve(serve, theirs, last_breath)
        os.close(last_breath)
        theirs.close()

    def exit_code(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def _serve(serve: Callable[[Connection], None], connection: Connection, last_breath: int) -> None:
    code = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=lambda: (os.read(last_breath, 1), os._exit(3)), daemon=True).start()
        # dbt's parser in Rust has a lock, which a fork of a process that has parsed never gets: the other parser then.
        with suppress(KeyboardInterrupt), patch(_RUST, lambda parser, node: "cannot_parse"):
            serve(connection)
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


@cache
def import_dbt() -> None:
    """Here, once, rather than in each fork."""
    import_module("dbt.cli.main")
    import_module("dbt.adapters.postgres")


@cache
def _kept() -> Path:
    folder = tempfile.mkdtemp(prefix="omnisupport-parsed-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


def keep_parsed(root: Path) -> None:
    """Remember what a command has parsed in the checkout at `root`."""
    target = root / ".local" / "dbt" / "target"
    if not (_kept() / _PARSED).is_file() and (target / _PARSED).is_file():
        shutil.copy(target / _PARSED, _kept())


def give_parsed(root: Path) -> None:
    """What was kept, or else what was parsed in the repository itself, for a new checkout: it counts for a project of
    the same files alone (worker.py)."""
    target = root / ".local" / "dbt" / "target"
    if target.exists():
        return
    target.mkdir(parents=True)
    (_kept() / _TEMPLATES).mkdir(exist_ok=True)
    (target / _TEMPLATES).symlink_to(_kept() / _TEMPLATES)
    kept = [folder / _PARSED for folder in (_kept(), ROOT / ".local" / "dbt" / "target")]
    for file in [file for file in kept if file.is_file()][:1]:
        shutil.copy(file, target)
