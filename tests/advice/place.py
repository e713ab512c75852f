"""A checkout whose warehouse holds proved and released days, brought back for each scene: database, files, archive."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loader.warehouse import Warehouse
from tests.advice.following import Operator, in_this_process
from tests.checkouts import ROOT, make_checkout
from tests.e2e.forks import give_parsed
from tests.ingests import declare, generate_lively, rows
from tests.shared_warehouse import Kept, fresh_database, kept

DAYS = tuple(date(2026, 4, day) for day in range(16, 20))
_FOLDERS = ("data", ".local/raw_zone", "reports")


@dataclass(slots=True)
class Place:
    """`seeds`: the default folder of manifests; `manifest`: the one that declares every export of `exports`."""

    root: Path
    whole: Kept
    # Who types here now, if anybody does.
    operator: Operator | None = None

    @property
    def seeds(self) -> Path:
        return self.root / "data" / "seed_manifests"

    @property
    def exports(self) -> Path:
        return self.seeds / "exports"

    @property
    def manifest(self) -> Path:
        return self.seeds / "tickets.json"

    @property
    def database(self) -> Warehouse:
        return self.whole.database

    def fresh(self) -> Operator:
        """An operator in the place as it was kept, whatever was done there since."""
        if self.operator is None or self.operator.has_acted:
            self.forget()
            for name in _FOLDERS:
                shutil.rmtree(self.root / name, ignore_errors=True)
                shutil.copytree(_kept_files(self.root) / name, self.root / name)
        self.operator = Operator(self.root)
        return self.operator

    def forget(self) -> None:
        """The database is put back; the files go on knowing."""
        self.whole.fresh(restored=True)

    def damage(self, *statements: str) -> None:
        """Past every guard, as a superuser."""
        self.sql("set session_replication_role = replica; " + "; ".join(statements))

    def sql(self, statement: str) -> None:
        rows(self.database, statement)

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        return rows(self.database, question)

    def value(self, question: str) -> Any:
        return self.rows(question)[0][0]

    def loader(self, *words: str) -> None:
        """A command of the past, whose end does not matter."""
        in_this_process("loader", words, self.root)

    def knows(self, fills: Mapping[str, str]) -> None:
        """What the operator knows of placeholders."""
        assert self.operator is not None
        self.operator.fills = fills

    def decides(self) -> None:
        """The operator is the person to whom it is left."""
        assert self.operator is not None
        self.operator.decides = True

    def when_typed(self, happens: Callable[[], None]) -> None:
        """What happens elsewhere once the first command has been typed."""
        assert self.operator is not None
        self.operator.meanwhile = happens


def _kept_files(root: Path) -> Path:
    return root.parent / "kept"


@contextmanager
def proved_place(server: Warehouse, template: str, folder: Path) -> Iterator[Place]:
    """Four generated days, ingested and released, in a checkout below `folder`. For a fixture of scope "module"."""
    root = folder / "project"
    make_checkout(root)
    give_parsed(root)
    (root / "requirements.lock").symlink_to(ROOT / "requirements.lock")
    (root / "data").unlink()
    generate_lively(root / "data" / "seed_manifests" / "exports", DAYS[0], DAYS[-1])
    with fresh_database(server, template) as database, pytest.MonkeyPatch.context() as patch:
        for name, value in {**database.libpq_environment(), **_variables(root)}.items():
            patch.setenv(name, value)
        declare(root / "data" / "seed_manifests" / "exports", "tickets")
        done = in_this_process("loader ingest", ["ingest"], root)
        assert done.code == 0, done
        for name in _FOLDERS:
            shutil.copytree(root / name, _kept_files(root) / name)
        with kept(server, database) as whole:
            yield Place(root, whole)


def _variables(root: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"LOADER_PROJECT_ROOT": str(root), "LOADER_REJECT_LIMIT": "0.5", "PATH": path}
