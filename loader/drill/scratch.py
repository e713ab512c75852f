"""A scratch warehouse, raw zone, report folder and exports, in which the commands run as an operator types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from loader.config import Settings
from loader.errors import InfrastructureError
from loader.warehouse import Warehouse, open_warehouse

_LOADER = (sys.executable, "-c", "from loader.cli import main; main()")
_SECONDS = 600
_IS_STOPPED = "select 1 from pg_locks where not granted and relation = 'bronze.raw_ticket_event'::regclass"


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and its JSON answer."""

    code: int
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scratch:
    """`exports`: daily files to spoil; `database` and `folder` are gone when the drill has ended."""

    warehouse: Warehouse
    folder: Path
    environment: Mapping[str, str]
    project_root: Path

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def loader(self, *words: str) -> Said:
        """Run a command to its end; raises InfrastructureError for one that answers no JSON."""
        done = subprocess.run(
            [*_LOADER, *words, "--json"],
            cwd=self.project_root,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        try:
            return Said(done.returncode, json.loads(done.stdout))
        except json.JSONDecodeError as error:
            raise InfrastructureError(
                f"loader {' '.join(words)} answered no JSON (exit code {done.returncode}):"
                f" {done.stderr.strip()[-500:]}; the drill ends here, its scratch database is removed",
                next_command="make smoke",
            ) from error

    def killed_while_it_loads(self, *words: str) -> bool:
        """Start a command, and kill it (SIGKILL) while its rows go into Bronze; False if it ended before.

        A lock holds the load where it would write, so that the moment is always met.
        """
        holder = self.warehouse.connect(application_name="omnisupport-drill")
        process = None
        try:
            with holder, holder.cursor() as cursor:
                cursor.execute("lock table bronze.raw_ticket_event in share mode")
                process = subprocess.Popen(
                    [*_LOADER, *words],
                    cwd=self.project_root,
                    env=dict(self.environment),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                deadline = time.monotonic() + _SECONDS
                while process.poll() is None and time.monotonic() < deadline:
                    if self.rows(_IS_STOPPED):
                        return True
                    time.sleep(0.02)
                return False
        finally:
            if process is not None:
                process.kill()
                process.wait()
            holder.close()

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement in its own transaction; its rows, if it has any."""
        connection = self.warehouse.connect(application_name="omnisupport-drill")
        with closing(connection), connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def scratch(settings: Settings, samples: tuple[str, ...]) -> Iterator[Scratch]:
    """A database beside the warehouse's, and a folder, both removed at the end; `samples`: exports to copy there.

    Raises InfrastructureError where no database may be created.
    """
    warehouse = open_warehouse(settings)
    name = f"{warehouse.dbname}_drill_{os.getpid()}"
    folder = Path(tempfile.mkdtemp(prefix="omnisupport-drill-"))
    try:
        _in_maintenance(
            warehouse, "create database {} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'", name
        )
        (folder / "exports").mkdir()
        for sample in samples:
            shutil.copy(settings.project_root / "data" / "canonization" / "tickets" / sample, folder / "exports")
        beside = warehouse.in_database(name)
        environment = {
            **os.environ,
            **beside.libpq_environment(),
            "LOADER_PROJECT_ROOT": str(settings.project_root),
            "LOADER_RAW_ZONE": str(folder / "raw_zone"),
            "LOADER_REPORT_DIR": str(folder / "reports"),
            "LOADER_ALLOWED_ROOTS": str(folder),
            "LOADER_REJECT_LIMIT": "0.05",
        }
        yield Scratch(beside, folder, environment, settings.project_root)
    finally:
        _in_maintenance(warehouse, "drop database if exists {} with (force)", name)
        shutil.rmtree(folder, ignore_errors=True)


def _in_maintenance(warehouse: Warehouse, statement: str, name: str) -> None:
    with closing(warehouse.connect(application_name="omnisupport-drill", autocommit=True)) as connection:
        try:
            connection.cursor().execute(sql.SQL(statement).format(sql.Identifier(name)))
        except psycopg2.Error as error:
            raise InfrastructureError(
                f"scratch database {name}: {str(error).strip()}; the drill needs one, nothing else was touched",
                next_command="make drill   (as a role that may create databases, or on the embedded server)",
            ) from error
