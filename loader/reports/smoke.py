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

import orjson
import psycopg2

from loader.config import Settings
from loader.contract.ruleset import load_ruleset
from loader.contract.ticket import AcceptedRecord, RejectedRecord
from loader.errors import LoaderError
from loader.ingest.request import IngestRequest, declared_input
from loader.release.views import view_faults
from loader.silver import run_dbt, unwatched_table
from loader.warehouse import Warehouse, open_warehouse
from loader.warehouse.built import are_built
from loader.warehouse.versions import read_definition

_PACKAGES = ("dlt", "dbt-core", "dbt-postgres", "pyarrow", "adbc-driver-postgresql", "psycopg2-binary", "orjson")
_PIN = re.compile(r"^([a-z0-9-]+)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)
_ENOUGH_BYTES = 2**30


class _NotSoundError(Exception):
    """What a check found wrong, as a sentence."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: `detail` says what was seen, or what is wrong."""

    name: str
    is_ok: bool
    detail: str
    seconds: float


def run_smoke_checks(settings: Settings) -> list[Check]:
    """Every check in order. Those that need the warehouse are left out when it does not answer."""
    checks = [
        _checked("packages", lambda: _packages(settings.project_root)),
        _checked("folders", lambda: _folders(settings)),
        _checked("contract", lambda: _contract(settings.project_root)),
        _checked("manifests", lambda: _manifests(settings)),
    ]
    found: list[Warehouse] = []
    checks.append(_checked("warehouse", lambda: _warehouse(settings, found)))
    if found:
        checks.append(_checked("bronze guards", lambda: _guards(found[0])))
        checks.append(_checked("dbt", lambda: _dbt(found[0], settings.project_root)))
        checks.append(_checked("change notes", lambda: _notes(found[0])))
        checks.append(_checked("serving", lambda: _serving(found[0], settings.project_root)))
    return checks


def _checked(name: str, check: Callable[[], str]) -> Check:
    began = time.monotonic()
    try:
        detail, is_ok = check(), True
    except (_NotSoundError, LoaderError, OSError, ValueError, psycopg2.Error) as error:
        detail, is_ok = (str(error).strip().splitlines() or [type(error).__name__])[0], False
    return Check(name, is_ok, detail, round(time.monotonic() - began, 2))


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
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
        if free < _ENOUGH_BYTES:
            raise _NotSoundError(f"{folder}: {free / 2**30:.1f} GiB free, expected {_ENOUGH_BYTES / 2**30:.0f} or more")
        seen.append(f"{folder}: {free / 2**30:.0f} GiB free")
    return ", ".join(seen)


def _contract(root: Path) -> str:
    ruleset = load_ruleset(root / "contracts")
    fixtures = root / "contracts" / "fixtures" / "ticket"
    judged = {AcceptedRecord: 0, RejectedRecord: 0}
    for folder, expected in (("valid", AcceptedRecord), ("invalid", RejectedRecord)):
        for file in sorted((fixtures / folder).glob("*.json")):
            case = orjson.loads(file.read_bytes())
            # Cases of other bytes than a record's are the tests' own.
            if "instance" in case and not isinstance(ruleset.judge(orjson.dumps(case["instance"])), expected):
                raise _NotSoundError(f"{file.relative_to(root)} is not judged {folder}")
            judged[expected] += "instance" in case
    return (
        f"{ruleset.contract_ref}, ruleset {ruleset.sha256[:12]}: {judged[AcceptedRecord]} fixtures accepted,"
        f" {judged[RejectedRecord]} rejected"
    )


def _manifests(settings: Settings) -> str:
    declared = declared_input(settings, IngestRequest())
    if declared.refused:
        raise _NotSoundError(f"{declared.refused[0].path}: {declared.refused[0]}")
    count = sum(len(manifest.assets) for manifest in declared.manifests)
    return f"{len(declared.manifests)} manifest(s) declare {count} file(s)"


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
    for table in ("raw_ticket_event", "asset_line", "rejected_record"):
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
        raise _NotSoundError(f"changes of {unwatched} are not noted: its triggers are off or gone")
    return "every change of Bronze and Silver is noted"


def _serving(warehouse: Warehouse, root: Path) -> str:
    faults = view_faults(warehouse, root)
    if faults:
        raise _NotSoundError(f"{'; '.join(fault.sentence for fault in faults)}. Next: {faults[0].next_command}")
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
