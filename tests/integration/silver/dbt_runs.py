"""dbt in this process, once or twice at a time, and sessions that stand in its way."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from loader.warehouse import Warehouse
from tests.replay import dbt_of_here

ROOT = Path(__file__).resolve().parents[3]
SILVER_MODELS = ("ticket_fact", "customer_dim")


@dataclass
class Dbt:
    """dbt in this process on one database, parsed once."""

    warehouse: Warehouse
    target: Path
    _manifest: Any = None

    def run(self, *arguments: str, select: Iterable[str] = SILVER_MODELS) -> bool:
        """`dbt run` of the models; True when all of them were built."""
        return bool(self._invoke(self.manifest(), "run", "--select", *select, *arguments).success)

    def run_twice_at_once(self, *arguments: str, select: Iterable[str]) -> list[int | None]:
        """Exit codes of two processes that do the same `run` at the same time."""
        # Forked after parsing, so that both are at the warehouse at once and neither pays for imports.
        self.manifest()
        fork = multiprocessing.get_context("fork")
        processes = [fork.Process(target=self._run_or_exit, args=(arguments, tuple(select))) for _ in range(2)]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        return [process.exitcode for process in processes]

    def _run_or_exit(self, arguments: tuple[str, ...], select: tuple[str, ...]) -> None:
        if not self.run(*arguments, select=select):
            raise SystemExit(1)

    def manifest(self) -> Any:
        if self._manifest is None:
            self._manifest = self._invoke(None, "parse").result
        return self._manifest

    def _invoke(self, manifest: Any, *arguments: str) -> Any:
        with patch.dict(os.environ, self.warehouse.libpq_environment()):
            # Nothing else that dbt writes is read.
            return dbt_of_here()(manifest=manifest).invoke(
                ["--quiet", "--log-level-file", "none", "--no-write-json", *arguments, *self.places()]
            )

    def places(self) -> list[str]:
        return [
            *("--project-dir", str(ROOT / "dbt_project"), "--profiles-dir", str(ROOT)),
            *("--target-path", str(self.target), "--log-path", str(self.target)),
        ]


@contextmanager
def statement(warehouse: Warehouse, text: str) -> Iterator[None]:
    """A session that has run `text` in a transaction that stays open for the block, then is rolled back."""
    connection = warehouse.connect(application_name="blocker")
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
        yield
    finally:
        connection.rollback()
        connection.close()
