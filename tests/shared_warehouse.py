"""One warehouse for all tests of a module: for chains that are ingested once and then looked at from many sides.

A module makes it its own with a fixture of scope "module" that depends on `server` and `_template`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from loader.warehouse import Warehouse

# A copy of a database has none of the rights on it.
GRANT = "grant create on database {} to omni_loader"
# What dbt built is gone; an administrator's schemas are there (infra/postgres/roles.sql).
EMPTY_LAYERS = "drop schema if exists silver, staging, reconcile cascade;" + ";".join(
    f"create schema {layer} authorization omni_transform" for layer in ("silver", "staging", "reconcile")
)


def named_as(template: str, what: str) -> str:
    """The name of another database of this worker's, beside that of a template: omni_template_<worker>, of a state
    omni_state_<worker>_<number>."""
    return f"omni_{what}_{template.split('_')[2]}"


@contextmanager
def fresh_database(server: Warehouse, template: str) -> Iterator[Warehouse]:
    """A database with the loader's tables and no rows, dropped at the end.

    It has the name that conftest's `database` uses, so that dbt keeps its parsed project: no test of the module
    may ask for that one too.
    """
    name = named_as(template, "test")
    with closing(server.connect(application_name="tests", autocommit=True)) as connection:
        cursor = connection.cursor()
        cursor.execute(f"create database {name} template {template} strategy file_copy")
        cursor.execute(GRANT.format(name))
        try:
            yield server.in_database(name)
        finally:
            cursor.execute(f"drop database {name} with (force)")


def loader_variables(database: Warehouse, folder: Path) -> dict[str, str]:
    """The variables that make `database`, and folders below `folder`, those of every loader command.

    `loader`, dbt and python are found beside this interpreter first.
    """
    return {
        **database.libpq_environment(),
        "LOADER_RAW_ZONE": str(folder / "raw_zone"),
        "LOADER_REPORT_DIR": str(folder / "reports"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


@contextmanager
def own_warehouse(server: Warehouse, template: str, folder: Path, **variables: str) -> Iterator[Warehouse]:
    """For the block, every loader command works on a fresh database and on folders below `folder`, with these variables
    besides."""
    with fresh_database(server, template) as database, pytest.MonkeyPatch.context() as patch:
        for name, value in {**loader_variables(database, folder), **variables}.items():
            patch.setenv(name, value)
        yield database


def execute(server: Warehouse, *statements: str) -> None:
    """Statements that no transaction may hold, e.g. `create database`."""
    with closing(server.connect(application_name="tests", autocommit=True)) as connection:
        for statement in statements:
            connection.cursor().execute(statement)


@contextmanager
def empty_database(server: Warehouse, name: str) -> Iterator[Warehouse]:
    """A database without anything of ours, dropped at the end, as its superuser; what roles its server has it keeps."""
    execute(server, f"create database {name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'")
    yield server.in_database(name)
    execute(server, f"drop database {name} with (force)")


@dataclass(frozen=True, slots=True)
class Kept:
    """A warehouse as it was when it was kept; `fresh` puts it back, under the same name: dbt keeps its project.

    And the journal of the report folder with it; with `restored`, the reports go on knowing what the database forgets.
    """

    server: Warehouse
    database: Warehouse
    copy: str

    def fresh(self, *, restored: bool = False) -> Warehouse:
        name = self.database.dbname
        if not restored:
            shutil.rmtree(Path(os.environ.get("LOADER_REPORT_DIR", "reports")) / "chain", ignore_errors=True)
        execute(
            self.server,
            f"drop database if exists {name} with (force)",
            f"create database {name} template {self.copy} strategy file_copy",
            GRANT.format(name),
        )
        return self.database


@contextmanager
def kept(server: Warehouse, database: Warehouse) -> Iterator[Kept]:
    """A copy of `database`, dropped at the end; nobody may be connected to it when it is made."""
    copy = f"omni_kept_{os.getpid()}"
    execute(server, f"create database {copy} template {database.dbname} strategy file_copy")
    yield Kept(server, database, copy)
    execute(server, f"drop database {copy} with (force)")
