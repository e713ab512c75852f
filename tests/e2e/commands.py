"""The `loader` command in child processes, as an operator types it in a checkout.

A command is a fork of this process, which has imported everything: a process with an environment, a folder and streams
of its own, without a second of imports. Other tests start the console script itself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from loader.cli import main
from loader.silver import dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT, make_checkout, make_reachable_folder
from tests.e2e.forks import Fork, give_parsed, import_dbt, keep_parsed
from tests.ingests import ticket, write_export
from tests.shared_warehouse import fresh_database

# The console script, or, where the project is not installed, what it does.
_SCRIPT = shutil.which("loader", path=str(Path(sys.executable).parent))
LOADER = [_SCRIPT] if _SCRIPT else [sys.executable, "-c", "from loader.cli import main; main()"]
_SECONDS = 120
# What a run's verdict says as JSON.
VERDICT = {
    "run_id",
    "record_kind",
    "attempt",
    "trace_id",
    "status",
    "exit_code",
    "reason_codes",
    "problems",
    "notes",
    "summary",
    "warnings",
    "drift",
    "reconcile",
    "downstream_decision",
    "release",
    "report_paths",
    "next_command",
}


@dataclass(frozen=True)
class Done:
    """A command that ended. `next_command` is the last line of what it said where errors go, and behind it why, which
    stands above it where a line has no room for both."""

    code: int
    out: str
    err: str

    @property
    def next_command(self) -> str:
        before, _, last = self.err.rstrip("\n").rpartition("\n")
        assert last.startswith("next: "), self.err
        why = re.search(r"(?:\A|\n)why:  (.*(?:\n {6}.*)*)\Z", before)
        return last.removeprefix("next: ") + (f"   # {' '.join(why[1].split())}" if why else "")

    @property
    def said(self) -> str:
        """What it said where errors go, as one line: a screen's width breaks sentences anywhere."""
        return " ".join(self.err.split())

    @property
    def record(self) -> dict[str, Any]:
        record = json.loads(self.out)
        assert isinstance(record, dict)
        return record


@dataclass(frozen=True)
class Checkout:
    """A small checkout with two days of exports of its own; `warehouse` None means: no PGHOST."""

    root: Path
    warehouse: Warehouse | None = None
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LOADER_", "DBT_"))}
        libpq = self.warehouse.libpq_environment() if self.warehouse else {}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        python = {} if _SCRIPT else {"PYTHONPATH": str(ROOT)}
        own = {"LOADER_PROJECT_ROOT": str(self.root), "PWD": str(self.root), "PATH": path}
        return {**kept, **libpq, **python, **own, **self.variables}

    def loader(self, *words: str | Path, **variables: str) -> Done:
        if self.warehouse is not None:
            give_parsed(self.root)
        done = forked([*map(str, words)], self.environment | variables, self.root)
        keep_parsed(self.root)
        return done

    def run(self, command: list[str], **variables: str) -> Done:
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def forked(words: list[str], environment: dict[str, str], folder: Path) -> Done:
    """`loader` with these words, in a fork of this process; killed after _SECONDS."""
    import_dbt()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            _become(words, environment, folder, out.fileno(), err.fileno())
        deadline = time.monotonic() + _SECONDS
        while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)
        out.seek(0)
        err.seek(0)
        return Done(os.waitstatus_to_exitcode(ended[1]), out.read().decode(), err.read().decode())


def _become(words: list[str], environment: dict[str, str], folder: Path, out: int, err: int) -> NoReturn:
    """Run the command in this process, a fork, as if it had just been started; nothing of the test is left to it."""
    code: object = 70
    try:
        os.umask(0o022)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for descriptor, place in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
            os.dup2(place, descriptor)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)
        # dbt's process is the test's own.
        dbt._process.cache_clear()
        dbt.__dict__["Companion"] = Fork
        main(words)
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


def make_own_checkout(root: Path) -> None:
    """A small checkout in which `loader kind new` writes into no file of the repository's own."""
    make_small_checkout(root)
    for name in ("contracts", "dbt_project", "infra"):
        if (root / name).is_symlink():
            (root / name).unlink()
            shutil.copytree(ROOT / name, root / name)


@contextmanager
def own_checkout(server: Warehouse, template: str, make: Callable[[Path], None] | None = None) -> Iterator[Checkout]:
    """A small checkout, or what `make` makes, with a fresh database; both are gone afterwards."""
    folder = make_reachable_folder()
    (make or make_small_checkout)(folder / "project")
    with fresh_database(server, template) as database:
        yield Checkout(folder / "project", database)
    shutil.rmtree(folder)


def make_small_checkout(root: Path) -> None:
    """A checkout whose data are its own, and whose dbt project is a copy: dbt writes beside it."""
    make_checkout(root)
    for name in ("dbt_project", "data"):
        (root / name).unlink()
    shutil.copytree(ROOT / "dbt_project", root / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    (root / "data" / "seed_manifests").mkdir(parents=True)
    exports = root / "data" / "exports"
    write_export(exports / "tickets-2026-04-17.jsonl", [ticket(number) for number in range(1, 41)])
    closed = [ticket(number, status="closed", updated_at="2026-04-18T09:00:00Z") for number in range(1, 11)]
    opened = [
        ticket(1, ticket_id=f"TKT-20260418-{number:06d}", created_at="2026-04-18T10:00:00Z") for number in range(1, 31)
    ]
    write_export(exports / "tickets-2026-04-18.jsonl", [*closed, *opened, b""])
