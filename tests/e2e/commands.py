"""The `loader` command in child processes, as an operator types it in a checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loader.warehouse import Warehouse
from tests.checkouts import ROOT, make_checkout
from tests.ingests import ticket, write_export

# The console script, or, where the project is not installed, what it does.
_SCRIPT = shutil.which("loader", path=str(Path(sys.executable).parent))
LOADER = [_SCRIPT] if _SCRIPT else [sys.executable, "-c", "from loader.cli import main; main()"]


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
        return self.run([*LOADER, *map(str, words)], **variables)

    def run(self, command: list[str], **variables: str) -> Done:
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)


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
