"""A scratch warehouse, raw zone, report folder and exports, in which the commands run as an operator types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from loader.config import Settings
from loader.errors import InfrastructureError
from loader.warehouse import Role, Warehouse, open_warehouse

# A command ends with its drill, also with one that is killed: it would write on where the next drill has cleaned up.
# (prctl's PR_SET_PDEATHSIG; where there is none, its database sessions are ended by the next drill.)
_BOUND = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != {drill}:
        sys.exit(3)
from loader.cli import main
main()
"""
_SECONDS = 600
_SESSION = "omnisupport-drill"
# The name of a scratch database: the warehouse's, this mark, and a token that its folder has too.
_MARK = "_drill_"
_TOKEN_LENGTH = 12
_FOLDER = "omnisupport-drill-"
_IS_STOPPED = (
    "select 1 from pg_locks where not granted and relation in"
    " (select inhrelid from pg_inherits where inhparent = 'bronze.record_event'::regclass)"
)


@dataclass(frozen=True, slots=True)
class CommandEnd:
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
    working_root: Path

    @property
    def exports(self) -> Path:
        return self.folder / "exports"

    @property
    def reports(self) -> Path:
        return self.folder / "reports"

    def loader(self, *words: str) -> CommandEnd:
        """Run a command to its end; raises InfrastructureError for one that answers no JSON."""
        done = subprocess.run(
            [*_loader(), *words, "--json"],
            cwd=self.project_root,
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        try:
            return CommandEnd(done.returncode, json.loads(done.stdout))
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
        holder = self.warehouse.connect(application_name=_SESSION)
        process = None
        try:
            with holder, holder.cursor() as cursor:
                cursor.execute("lock table bronze.record_event in share mode")
                process = subprocess.Popen(
                    [*_loader(), *words],
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
        """Run one statement as omni_transform, in its own transaction; its rows, if it has any."""
        connection = self.warehouse.acting_as(Role.TRANSFORM).connect(application_name=_SESSION)
        with closing(connection), connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []


def _loader() -> tuple[str, ...]:
    return (sys.executable, "-c", _BOUND.format(drill=os.getpid()))


@contextmanager
def scratch(settings: Settings, samples: tuple[str, ...]) -> Iterator[Scratch]:
    """A database beside the warehouse's, and a folder, both removed at the end; `samples`: exports to copy there.

    What drills that were killed left behind is removed first. A drill is alive as long as its session, which has its
    token in its name, so one at work elsewhere is let be. Raises InfrastructureError where no database may be
    created.
    """
    warehouse = open_warehouse(settings)
    token = uuid.uuid4().hex[:_TOKEN_LENGTH]
    name = f"{warehouse.dbname}{_MARK}{token}"
    folder = Path(tempfile.gettempdir()).resolve() / f"{_FOLDER}{token}"
    administrator = warehouse.as_administrator()
    with closing(administrator.connect(application_name=_session_of(name), autocommit=True)) as session:
        _remove_dead(session, warehouse, settings)
        try:
            # In this order, a folder always has a database that names it.
            _in_maintenance(
                session, "create database {} template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C'", name
            )
            session.cursor().execute(
                sql.SQL("comment on database {} is {}").format(sql.Identifier(name), sql.Literal(str(folder)))
            )
            folder.mkdir(mode=0o700)
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
            yield Scratch(beside, folder, environment, settings.project_root, working_root(settings))
        finally:
            _remove(session, warehouse, settings, name, str(folder))


def working_root(settings: Settings) -> Path:
    """Where the loads of every warehouse of a checkout work, each attempt in a folder of its own."""
    return settings.state_folder / "dlt"


def labels(warehouse: Warehouse) -> frozenset[str]:
    """What the working folders and staging schemas of a warehouse's attempts are named after."""
    with closing(warehouse.connect(application_name=_SESSION)) as connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('ops.ingest_run') is not null")
        if not cursor.fetchone()[0]:
            return frozenset()
        cursor.execute("select replace(run_id::text, '-', '') || '_' || attempt from ops.ingest_run")
        return frozenset(str(label) for (label,) in cursor.fetchall())


def _session_of(name: str) -> str:
    """How the session of the drill on the scratch database `name` is named; every role sees it."""
    return f"{_SESSION} {name[-_TOKEN_LENGTH:]}"


def _remove_dead(session: Any, warehouse: Warehouse, settings: Settings) -> None:
    cursor = session.cursor()
    cursor.execute(
        "select datname, coalesce(shobj_description(oid, 'pg_database'), '') from pg_database as scratch"
        " where starts_with(datname, %s) and substr(datname, length(%s) + 1) ~ %s and not exists ("
        "  select from pg_stat_activity"
        "  where application_name = %s || right(scratch.datname, %s))",
        (
            warehouse.dbname + _MARK,
            warehouse.dbname + _MARK,
            f"^[0-9a-f]{{{_TOKEN_LENGTH}}}$",
            f"{_SESSION} ",
            _TOKEN_LENGTH,
        ),
    )
    for name, folder in cursor.fetchall():
        # When two drills find the same one dead, the later may find it half gone; nothing of it is left afterwards.
        with suppress(InfrastructureError):
            _remove(session, warehouse, settings, name, folder)


def _remove(session: Any, warehouse: Warehouse, settings: Settings, name: str, folder: str) -> None:
    """The database, its folder, and the working folders of its attempts; may be killed at any point, and called again.

    Commands of a drill that was killed may be at work still: their sessions are ended first. The database goes last,
    as it knows the rest.
    """
    cursor = session.cursor()
    cursor.execute("select count(*) from pg_database where datname = %s", (name,))
    if cursor.fetchone()[0]:
        cursor.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (name,))
        for label in labels(warehouse.in_database(name)):
            shutil.rmtree(working_root(settings) / label, ignore_errors=True)
    # Only what a drill can have named so: the comment of a database is free text.
    if Path(folder).name == f"{_FOLDER}{name[-_TOKEN_LENGTH:]}":
        shutil.rmtree(folder, ignore_errors=True)
    _in_maintenance(session, "drop database if exists {} with (force)", name)


def _in_maintenance(session: Any, statement: str, name: str) -> None:
    try:
        session.cursor().execute(sql.SQL(statement).format(sql.Identifier(name)))
    except psycopg2.Error as error:
        raise InfrastructureError(
            f"scratch database {name}: {str(error).strip()}; the drill needs one, nothing else was touched",
            next_command="make drill   # as a role that may create databases, or on the embedded server",
        ) from error
