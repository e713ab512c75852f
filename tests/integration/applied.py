"""The tables of infra/postgres, made or changed by several processes at once."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

from loader.warehouse import Warehouse, ddl


def applied_at_once(count: int, warehouse: Warehouse, files: Path) -> list[bool | Exception]:
    """What each of `count` sessions that begin together says: whether it changed anything, or the error."""
    said: list[bool | Exception] = []

    def apply() -> None:
        with closing(warehouse.connect()) as connection:
            try:
                said.append(ddl.ensure_schema(connection, files))
            except Exception as error:
                said.append(error)

    threads = [threading.Thread(target=apply) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said
