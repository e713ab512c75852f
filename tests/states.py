"""Warehouses that are built once in a run, and copied with their files for each test that begins from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from loader.warehouse import Warehouse
from tests.shared_warehouse import execute, named_as, own_warehouse

Made = TypeVar("Made")


@dataclass(frozen=True)
class State(Generic[Made]):
    """A warehouse as its build left it, the folder of its files, and what the build returned."""

    database: Warehouse
    folder: Path
    made: Made


@dataclass(frozen=True)
class _Kept:
    template: str
    folder: Path
    made: Any

    @property
    def pristine(self) -> Path:
        return self.folder.with_suffix(".pristine")


class States:
    """By build: a function that fills an empty warehouse, with files below the folder that it is given.

    The copy has the name of the database that was built, and the folder in which it was: what the one says of the other
    stays true. So there is one state at a time, and no test of it may ask for conftest's `database`.
    """

    def __init__(self, server: Warehouse, template: str, root: Path) -> None:
        self._server = server
        self._template = template
        self._root = root
        self._kept: dict[Callable[..., Any], _Kept] = {}

    @contextmanager
    def begin(self, build: Callable[[Path], Made], **variables: str) -> Iterator[State[Made]]:
        """For the block, every loader command works on a copy of what `build` makes, with these variables besides."""
        kept = self._kept.get(build)
        number = len(self._kept)
        folder = kept.folder if kept else self._root / f"{build.__name__}_{number}"
        template = kept.template if kept else self._template
        with own_warehouse(self._server, template, folder, **variables) as database:
            if kept is not None:
                shutil.rmtree(folder)
                shutil.copytree(kept.pristine, folder, symlinks=True)
            else:
                folder.mkdir()
                kept = _Kept(f"{named_as(self._template, 'state')}_{number}", folder, build(folder))
                shutil.copytree(folder, kept.pristine, symlinks=True)
                execute(self._server, f"create database {kept.template} template {database.dbname} strategy file_copy")
                self._kept[build] = kept
            yield State(database, folder, kept.made)

    def drop(self) -> None:
        for kept in self._kept.values():
            execute(self._server, f"drop database {kept.template} with (force)")
