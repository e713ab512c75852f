"""A database of its own for each measurement, on the warehouse's server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from loader.config import Settings
from loader.warehouse import Warehouse, open_warehouse, set_up


@contextmanager
def fresh_warehouse(settings: Settings, purpose: str, *, with_tables: bool = True) -> Iterator[Warehouse]:
    """A database with the loader's tables, or with none, and no rows; dropped afterwards. What the server still had to
    write is written before the measurement begins."""
    server = open_warehouse(settings)
    name = f"omni_bench_{purpose}_{os.getpid()}"
    _execute(server, f"create database {name} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'")
    try:
        warehouse = server.in_database(name)
        if with_tables:
            set_up(warehouse, settings.project_root / "infra" / "postgres")
        _execute(server, "checkpoint")
        yield warehouse
    finally:
        _execute(server, f"drop database {name} with (force)")


def query(warehouse: Warehouse, statement: str) -> list[tuple[Any, ...]]:
    with closing(warehouse.as_administrator().connect(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def _execute(warehouse: Warehouse, statement: str) -> None:
    with closing(warehouse.as_administrator().connect(autocommit=True)) as connection:
        connection.cursor().execute(statement)
