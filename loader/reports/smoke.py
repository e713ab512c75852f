"""Is the set-up sound? Quick checks of everything that an ingest needs; nothing is ingested.

As every command does, it starts the embedded server and brings the loader's tables up to date.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psycopg2

from loader.config import Settings
from loader.errors import LoaderError
from loader.ingest import IngestRequest, declared_input
from loader.kinds import check_kinds, load_ruleset
from loader.printable import counted, pasted
from loader.release import MEND_VIEWS, view_faults
from loader.silver import run_dbt, unwatched_table
from loader.warehouse import MAKES_ANEW, Warehouse, are_built, open_warehouse, read_definition

_PACKAGES = ("dlt", "dbt-core", "dbt-postgres", "pyarrow", "adbc-driver-postgresql", "psycopg2-binary", "orjson")
_PIN = re.compile(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)
_ENOUGH_BYTES = 2**30


class _NotSoundError(Exception):
    """What a check found wrong, as a sentence; `next_command` where it knows better than its check what mends it."""

    def __init__(self, message: str, next_command: str | None = None) -> None:
        super().__init__(message)
        self.next_command = next_command


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `detail` says what was seen, or what is wrong; `next_command` what mends that, None when sound."""

    name: str
    is_ok: bool
    detail: str
    seconds: float
    next_command: str | None = None


def run_smoke_checks(settings: Settings) -> list[Check]:
    """Every check in order. Those that need the warehouse are left out when it does not answer."""
    root = settings.project_root
    checks = [
        _checked("packages", lambda: _packages(root), "rm -f .venv/.stamp && make smoke"),
        _checked("folders", lambda: _folders(settings), "df -h"),
        _checked("contract", lambda: _contract(root), "git status contracts"),
        _checked("manifests", lambda: _manifests(settings), "make dry-run"),
    ]
    found: list[Warehouse] = []
    checks.append(_checked("warehouse", lambda: _warehouse(settings, found), "make up"))
    if found:
        checks.append(_checked("bronze guards", lambda: _guards(found[0]), MAKES_ANEW))
        checks.append(_checked("dbt", lambda: _dbt(found[0], root), "git status dbt_project"))
        checks.append(_checked("change notes", lambda: _notes(found[0]), MAKES_ANEW))
        checks.append(_checked("serving", lambda: _serving(found[0], root), MEND_VIEWS))
    return checks


def _checked(name: str, check: Callable[[], str], mend: str) -> Check:
    """`mend`: the command that helps where what went wrong does not bring its own."""
    began = time.monotonic()
    next_command: str | None = None
    try:
        detail, is_ok = check(), True
    except (_NotSoundError, LoaderError, OSError, ValueError, psycopg2.Error) as error:
        detail, is_ok = (str(error).strip().splitlines() or [type(error).__name__])[0], False
        next_command = getattr(error, "next_command", None) or mend
    return Check(name, is_ok, detail, round(time.monotonic() - began, 2), next_command)


def _packages(root: Path) -> str:
    locked = dict(_PIN.findall((root / "requirements.lock").read_text()))
    seen = []
    for name in _PACKAGES:
        try:
            installed = version(name)
        except PackageNotFoundError as error:
            raise _NotSoundError(f"{name} is not installed, expected {locked.get(name)}") from error
        if installed != locked.get(name):
            raise _NotSoundError(f"{name}: got {installed}, requirements.lock has {locked.get(name)}")
        seen.append(f"{name} {installed}")
    return ", ".join(seen)


def _folders(settings: Settings) -> str:
    seen = []
    for folder in (settings.raw_zone, settings.report_dir):
        # The raw zone is made, closed to others, by the first ingest.
        existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
        try:
            with tempfile.TemporaryFile(dir=existing):
                pass
        except OSError as error:
            words = f"{folder}: no file can be written in {existing}: {error.strerror}"
            raise _NotSoundError(words, f"ls -ld {pasted(existing)}") from error
        free = shutil.disk_usage(existing).free
        if free < _ENOUGH_BYTES:
            words = f"{folder}: {free / 2**30:.1f} GiB free, expected {_ENOUGH_BYTES / 2**30:.0f} or more"
            raise _NotSoundError(words, f"df -h {pasted(existing)}   # make room there")
        seen.append(f"{folder}: {free / 2**30:.0f} GiB free")
    return ", ".join(seen)


def _contract(root: Path) -> str:
    kinds, faults = check_kinds(root)
    if faults:
        raise _NotSoundError(f"{faults[0].place}: {faults[0].words}", faults[0].next_command)
    rulesets = [load_ruleset(root / "contracts", kind.name) for kind in kinds if kind.is_landed]
    said = [f"{ruleset.contract_ref} (ruleset {ruleset.sha256[:12]})" for ruleset in rulesets]
    return f"{', '.join(said)}: as declared"


def _manifests(settings: Settings) -> str:
    declared = declared_input(settings, IngestRequest())
    if declared.refused:
        first = declared.refused[0]
        raise _NotSoundError(f"{first.path}: {first}", first.next_command)
    count = sum(len(manifest.assets) for manifest in declared.manifests)
    return f"{counted(len(declared.manifests), 'manifest')}, {counted(count, 'file')} declared"


def _warehouse(settings: Settings, found: list[Warehouse]) -> str:
    warehouse = open_warehouse(settings)
    with _cursor(warehouse) as cursor:
        cursor.execute("select current_setting('server_version'), pg_size_pretty(pg_database_size(current_database()))")
        server, size = cursor.fetchone()
        cursor.execute("select version from ops.schema_version")
        (version,) = cursor.fetchone()
    found.append(warehouse)
    code = read_definition(settings.project_root / "infra" / "postgres").version
    return f"PostgreSQL {server} at {warehouse.address}, {size}, tables of version {version}, as this checkout ({code})"


def _guards(warehouse: Warehouse) -> str:
    """Statements that touch no row must be refused all the same. No truncate: it would lock out an ingest at work, and
    the trigger that refuses it is the one that refuses update and delete."""
    for table in ("record_event", "asset_line", "rejected_record"):
        for statement in (
            f"update bronze.{table} set asset_id = asset_id where false",
            f"delete from bronze.{table} where false",
            f"insert into bronze.{table} select * from bronze.{table} where false",
        ):
            with _cursor(warehouse) as cursor:
                try:
                    cursor.execute(statement)
                except psycopg2.errors.RaiseException:
                    continue
            raise _NotSoundError(f"Bronze let pass: {statement}")
    return "update, delete and a foreign insert are refused in every table"


def _notes(warehouse: Warehouse) -> str:
    with _cursor(warehouse) as cursor:
        if not are_built(cursor, "silver.ticket_fact"):
            return "Silver is not built yet"
        unwatched = unwatched_table(cursor)
    if unwatched:
        # Bronze's triggers are the loader's; Silver's come with tables that are made anew, of which nothing is proved.
        mend = MAKES_ANEW if unwatched.startswith("bronze.") else "make build FULL_REFRESH=1"
        raise _NotSoundError(f"changes of {unwatched} are not noted: its triggers are off or gone", mend)
    return "every change of Bronze and Silver is noted"


def _serving(warehouse: Warehouse, root: Path) -> str:
    faults = view_faults(warehouse, root)
    if faults:
        raise _NotSoundError("; ".join(fault.sentence for fault in faults), faults[0].next_command)
    return "readers look through the project's own views"


def _dbt(warehouse: Warehouse, root: Path) -> str:
    build = run_dbt(warehouse, root, ["compile", "--select", "silver", "reconcile"])
    if not build.is_ok:
        raise _NotSoundError(f"{build.failed[0].name}: {build.failed[0].reason}")
    return f"{len(build.nodes)} nodes of Silver and reconcile compile"


@contextmanager
def _cursor(warehouse: Warehouse) -> Iterator[Any]:
    """A cursor whose transaction is rolled back."""
    with closing(warehouse.connect(application_name="omnisupport-smoke")) as connection, connection.cursor() as cursor:
        try:
            yield cursor
        finally:
            connection.rollback()
