"""Bronze as a scene for Silver's tests: events, deliveries, loads and rulesets without files, and what must follow.

`Scene` writes the rows that the loader would write, under the ingest lock. `Scene.tickets()` and `Scene.customers()`
say in plain Python what Silver has to hold, from the definition and not from the SQL.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from psycopg2.extras import execute_values

from loader.warehouse import Warehouse

ROOT = Path(__file__).resolve().parents[2]
START = datetime(2026, 4, 17, 8, tzinfo=UTC)
SILVER_MODELS = ("ticket_fact", "ticket_customer", "customer_dim")
TABLES = (
    "bronze.rejected_record, bronze.asset_line, bronze.raw_ticket_event, ops.completed_load, ops.asset_partition,"
    " ops.asset_index, ops.run_asset, ops.ingest_run, ops.manifest_asset, ops.source_asset, ops.manifest, ops.ruleset"
)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


@dataclass(frozen=True, slots=True)
class Version:
    """One record of a ticket. `created` and `updated` are hours after 2026-04-17 08:00 UTC."""

    ticket: int
    created: float = 0
    updated: float | None = None
    status: str = "open"
    customer: str = "C1"
    source: str = "a"

    @property
    def ticket_id(self) -> str:
        return f"TKT-20260417-{self.ticket:06d}"

    @property
    def version_at(self) -> datetime:
        return at(self.created if self.updated is None else self.updated)

    @property
    def partition_key(self) -> date:
        return at(self.created).date()

    @property
    def payload(self) -> bytes:
        record = {
            "ticket_id": self.ticket_id,
            "schema_version": "ticket_v1",
            "source_id": self.source,
            "customer_id": self.customer,
            "org_id": f"org of {self.customer} {self.status}",
            "status": self.status,
            "priority": "p3_medium",
            "product_line": "northstar_studio",
            "created_at": at(self.created).isoformat(),
            "pii_level": "none",
            "quality_gate": "pass",
            "owner": "tests",
        }
        if self.updated is not None:
            record["updated_at"] = at(self.updated).isoformat()
        return orjson.dumps(record, option=orjson.OPT_SORT_KEYS)

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha256(self.payload).digest()

    @property
    def event_id(self) -> uuid.UUID:
        return uuid.UUID(bytes=self.fingerprint[:16])


Key = tuple[datetime, int, int, bytes]


@dataclass
class Scene:
    """A warehouse whose Bronze the test writes. Close the connection to let the lock go."""

    warehouse: Warehouse
    _lines: list[tuple[str, int, int, int, Version | None]] = field(default_factory=list)
    _loads: dict[str, dict[uuid.UUID, Version]] = field(default_factory=dict)
    _completed: set[str] = field(default_factory=set)
    _sequences: dict[int, int] = field(default_factory=dict)
    _rulesets: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.run_id = str(uuid.uuid4())
        settings = {
            "omni.run_id": self.run_id,
            "omni.attempt": "1",
            "omni.maintenance": "repair",
            "lock_timeout": "60s",
        }
        self.connection = self.warehouse.connect(application_name="scene", settings=settings, autocommit=True)
        self.execute("drop schema if exists silver, staging, reconcile cascade")
        self.execute(f"truncate {TABLES} restart identity")
        self.execute("select pg_advisory_lock(1869442665, 1)")
        for sha256 in ("a" * 64, "b" * 64, "c" * 64):
            self.execute(
                "insert into ops.ruleset (ruleset_sha256, contract_ref, components) values (%s, 'ticket_v1', '{}')",
                sha256,
            )
        self.execute(
            "insert into ops.ingest_run (run_id, attempt, trace_id, mode, status, stage, batch_id, manifest_ids,"
            " ruleset_id, lock_pid, process_id, host, loader_version) values (%s, 1, %s, 'ingest', 'running',"
            " 'started', 'batch-1', '{manifest-1}', 1, pg_backend_pid(), 1, 'test', '0')",
            self.run_id,
            "0" * 32,
        )

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def declare(self, asset_id: int, sequence: int, *, manifest: str = "manifest-1") -> None:
        """A manifest that admits the asset at this place of upstream's order."""
        self.execute(
            "insert into ops.source_asset (asset_id, source_fingerprint, size_bytes, content_encoding, content_bytes,"
            " raw_zone_key, registered_by_run_id) overriding system value"
            " values (%s, %s, 1, 'identity', 1, 'none', %s) on conflict do nothing",
            asset_id,
            hashlib.sha256(str(asset_id).encode()).hexdigest(),
            self.run_id,
        )
        self.execute(
            "insert into ops.manifest (manifest_id, manifest_sha256, manifest_bytes, manifest_path, batch_id,"
            " contract_ref, modality, load_mode, declared_asset_count, is_implicit, registered_by_run_id)"
            " values (%s, %s, '', 'none', 'batch-1', 'ticket_v1', 'structured', 'full', 1, false, %s)"
            " on conflict do nothing",
            manifest,
            "0" * 64,
            self.run_id,
        )
        self.execute(
            "insert into ops.manifest_asset (manifest_id, source_id, ordinal, asset_id, source_url_or_path, asset_type,"
            " sequence, judgement, disposition, reason_codes, judged_by_run_id)"
            " values (%s, %s, 0, %s, 'none', 'jsonl', %s, 'accept', 'admitted', '{}', %s)",
            manifest,
            f"file-{asset_id}-{sequence}",
            asset_id,
            sequence,
            self.run_id,
        )
        self.execute(
            "insert into ops.run_asset (run_id, attempt, manifest_id, source_id, asset_id, action, judgement,"
            " reason_codes) values (%s, 1, %s, %s, %s, 'parsed', 'accept', '{}')",
            self.run_id,
            manifest,
            f"file-{asset_id}-{sequence}",
            asset_id,
        )
        self._sequences[asset_id] = min(sequence, self._sequences.get(asset_id, sequence))

    def load(self, load_id: str, asset_id: int, lines: Mapping[int, Version | None], *, ruleset_id: int = 1) -> None:
        """Write lines of an asset (None: rejected) and the events that are new with them; not completed yet."""
        known = set().union(*self._loads.values()) if self._loads else set()
        fresh = {v.event_id: (v, number) for number, v in lines.items() if v and v.event_id not in known}
        self._loads[load_id] = {event_id: version for event_id, (version, _) in fresh.items()}
        self._lines += [(load_id, asset_id, number, ruleset_id, version) for number, version in lines.items()]
        with self.connection.cursor() as cursor:
            execute_values(
                cursor,
                "insert into bronze.asset_line (byte_offset, byte_length, event_id, asset_id, line_number, ruleset_id,"
                " partition_key, kind, _dlt_load_id) values %s",
                [
                    (
                        0,
                        1,
                        str(v.event_id) if v else None,
                        asset_id,
                        number,
                        ruleset_id,
                        v.partition_key if v else None,
                        "record" if v else "rejected",
                        load_id,
                    )
                    for number, v in lines.items()
                ],
            )
            execute_values(
                cursor,
                "insert into bronze.raw_ticket_event (event_id, record_fingerprint, source_id, ticket_id, created_at,"
                " updated_at, partition_key, raw_payload, ingest_batch_id, warning_codes, asset_id, line_number,"
                " run_id, _dlt_load_id) values %s",
                [
                    (str(v.event_id), v.fingerprint, v.source, v.ticket_id, at(v.created),
                     None if v.updated is None else at(v.updated), v.partition_key, v.payload.decode(), "batch-1", [],
                     asset_id, number, self.run_id, load_id)
                    for v, number in fresh.values()
                ],
            )  # fmt: skip

    def complete(self, load_id: str) -> None:
        """Make the load visible, and the ruleset of its lines the asset's latest if it is greater."""
        for asset_id, ruleset_id in {(a, r) for load, a, _, r, _ in self._lines if load == load_id}:
            self.execute(
                "insert into ops.asset_index (asset_id, ruleset_id, line_count, indexed_line_count, is_complete,"
                " run_id, attempt) values (%s, %s, 1, 1, true, %s, 1) on conflict do nothing",
                asset_id,
                ruleset_id,
                self.run_id,
            )
            self._rulesets[asset_id] = max(ruleset_id, self._rulesets.get(asset_id, 0))
        self.execute(
            "insert into ops.completed_load (load_id, table_name, run_id, attempt, row_count, row_digest)"
            " select %s, table_name, %s, 1, 0, 0 from unnest('{raw_ticket_event,asset_line}'::text[]) as table_name",
            load_id,
            self.run_id,
        )
        self._completed.add(load_id)

    def land(self, load_id: str, asset_id: int, *versions: Version | None, ruleset_id: int = 1) -> None:
        """One completed load: the asset's lines from line 1."""
        self.load(load_id, asset_id, dict(enumerate(versions, start=1)), ruleset_id=ruleset_id)
        self.complete(load_id)

    def tickets(self) -> dict[str, tuple[str, int]]:
        """The winner's event_id and version_count by ticket_id, as ticket_fact must hold them."""
        return {ticket_id: (str(max(kept)[1].event_id), len(kept)) for ticket_id, kept in self._kept_versions().items()}

    def customers(self) -> dict[str, tuple[Any, ...]]:
        """(event_id, org_id, first_seen_at, last_seen_at, ticket_count, open_ticket_count) by customer_id."""
        versions: dict[str, list[tuple[Key, Version]]] = defaultdict(list)
        winners = {}
        for ticket_id, kept in self._kept_versions().items():
            winners[ticket_id] = max(kept)[1]
            for key, version in kept:
                versions[version.customer].append((key, version))
        return {
            customer: (
                str(max(rows)[1].event_id),
                f"org of {customer} {max(rows)[1].status}",
                min(at(version.created) for _, version in rows),
                max(version.version_at for _, version in rows),
                sum(winner.customer == customer for winner in winners.values()),
                sum(winner.customer == customer and winner.status != "closed" for winner in winners.values()),
            )
            for customer, rows in versions.items()
        }

    def _kept_versions(self) -> dict[str, list[tuple[Key, Version]]]:
        visible = set().union(*(self._loads[load] for load in self._completed)) if self._completed else set()
        places: dict[uuid.UUID, tuple[int, int]] = {}
        versions: dict[uuid.UUID, Version] = {}
        for load, asset_id, number, ruleset_id, version in self._lines:
            is_read = load in self._completed and self._rulesets[asset_id] == ruleset_id
            if version is not None and is_read and version.event_id in visible:
                place = (self._sequences[asset_id], number)
                places[version.event_id] = min(place, places.get(version.event_id, place))
                versions[version.event_id] = version
        by_ticket: dict[str, list[Version]] = defaultdict(list)
        for version in versions.values():
            by_ticket[version.ticket_id].append(version)

        def key(version: Version, instant: Callable[[Version], datetime]) -> Key:
            return (instant(version), *places[version.event_id], version.fingerprint)

        kept = {}
        for ticket_id, group in by_ticket.items():
            source = min(group, key=lambda version: key(version, lambda v: at(v.created))).source
            kept[ticket_id] = [(key(v, lambda v: v.version_at), v) for v in group if v.source == source]
        return kept

    def silver(self) -> tuple[dict[str, tuple[str, int]], dict[str, tuple[Any, ...]]]:
        """What Silver holds, in the shape of (tickets(), customers())."""
        tickets = self.execute("select ticket_id, event_id::text, version_count from silver.ticket_fact")
        customers = self.execute(
            "select customer_id, event_id::text, org_id, first_seen_at, last_seen_at, ticket_count, open_ticket_count"
            " from silver.customer_dim"
        )
        return {row[0]: row[1:] for row in tickets}, {row[0]: row[1:] for row in customers}  # type: ignore[misc]

    def expected(self) -> tuple[dict[str, tuple[str, int]], dict[str, tuple[Any, ...]]]:
        return self.tickets(), self.customers()

    def rows(self, table: str) -> list[Any]:
        """All columns of all rows, in no order that depends on storage."""
        return [
            row for (row,) in self.execute(f"select to_jsonb(t) from silver.{table} as t order by to_jsonb(t)::text")
        ]


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
        from dbt.cli.main import dbtRunner

        from loader.silver.dbt import _environment

        with _environment(self.warehouse.libpq_environment()):
            return dbtRunner(manifest=manifest).invoke(["--quiet", *arguments, *self.places()])

    def places(self) -> list[str]:
        return [
            *("--project-dir", str(ROOT / "dbt_project"), "--profiles-dir", str(ROOT)),
            *("--target-path", str(self.target), "--log-path", str(self.target)),
        ]


@contextmanager
def statement(warehouse: Warehouse, text: str) -> Any:
    """A session that has run `text` in a transaction that stays open for the block, then is rolled back."""
    connection = warehouse.connect(application_name="blocker")
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
        yield
    finally:
        connection.rollback()
        connection.close()
