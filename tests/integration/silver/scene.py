"""A warehouse whose Bronze a test writes: events, deliveries, loads and rulesets without files."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg2.extras import execute_values

from loader.runs import IngestLock
from loader.warehouse import Warehouse
from tests.integration.silver.history import History
from tests.integration.silver.version import Version, at
from tests.shared_warehouse import EMPTY_LAYERS

# Tickets and customers by their ids, as history.py describes them.
Silver = tuple[dict[str, tuple[Any, ...]], dict[str, tuple[Any, ...]]]
TABLES = (
    "bronze.rejected_record, bronze.asset_line, bronze.raw_ticket_event, ops.completed_load, ops.asset_partition,"
    " ops.asset_index, ops.run_asset, ops.ingest_run, ops.manifest_asset, ops.erased_line, ops.raw_zone_redaction,"
    " ops.source_asset, ops.manifest, ops.ruleset"
)


@dataclass
class Scene:
    """A warehouse whose Bronze the test writes. It holds the ingest lock: close both."""

    warehouse: Warehouse
    history: History = field(default_factory=History)

    def __post_init__(self) -> None:
        self.run_id = str(uuid.uuid4())
        settings = {
            "omni.run_id": self.run_id,
            "omni.attempt": "1",
            "omni.maintenance": "repair",
            "lock_timeout": "60s",
        }
        self.connection = self.warehouse.connect(application_name="scene", settings=settings, autocommit=True)
        self.execute(EMPTY_LAYERS)
        self.execute(f"truncate {TABLES} restart identity")
        # dlt makes it with its first load.
        self.execute(
            "create table if not exists bronze._dlt_loads (load_id text not null, schema_name text,"
            " status bigint not null, inserted_at timestamptz not null, schema_version_hash text)"
        )
        self.lock = IngestLock.acquire(self.warehouse)
        for sha256 in ("a" * 64, "b" * 64, "c" * 64):
            self.execute(
                "insert into ops.ruleset (ruleset_sha256, contract_ref, components) values (%s, 'ticket_v1', '{}')",
                sha256,
            )
        self.execute(
            "insert into ops.ingest_run (run_id, attempt, trace_id, mode, status, stage, batch_id, manifest_ids,"
            " record_kind, ruleset_id, writer_token, lock_pid, process_id, host, loader_version) values (%s, 1, %s,"
            " 'ingest', 'running', 'started', 'batch-1', '{manifest-1}', 'ticket_v1', 1, %s, %s, 1, 'test', '0')",
            self.run_id,
            "0" * 32,
            self.lock.token,
            self.lock.backend_pid,
        )

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return list(cursor.fetchall()) if cursor.description else []

    def declare(self, asset_id: int, sequence: int, *, manifest: str = "manifest-1") -> None:
        """A manifest that admits the asset at this place of upstream's order."""
        self.execute(
            "insert into ops.source_asset (asset_id, source_fingerprint, record_kind, size_bytes, content_encoding,"
            " content_bytes, raw_zone_key, registered_by_run_id) overriding system value"
            " values (%s, %s, 'ticket_v1', 1, 'identity', 1, 'none', %s) on conflict do nothing",
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
        self.history.sequences[asset_id] = min(sequence, self.history.sequences.get(asset_id, sequence))

    def load(self, load_id: str, asset_id: int, lines: Mapping[int, Version | None], *, ruleset_id: int = 1) -> None:
        """Write lines of an asset (None: rejected) and the events that are new with them; not completed yet."""
        known = set().union(*self.history.events.values())
        fresh = {v.event_id: (v, number) for number, v in lines.items() if v and v.event_id not in known}
        self.history.events[load_id] = set(fresh)
        self.history.lines += [(load_id, asset_id, number, ruleset_id, version) for number, version in lines.items()]
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
                "insert into bronze.raw_ticket_event (record_kind, event_id, record_fingerprint, record_source,"
                " record_key, person_id, created_at, updated_at, partition_key, raw_payload, envelope, warning_codes,"
                " asset_id, line_number, run_id, _dlt_load_id) values %s",
                [
                    ("ticket_v1", str(v.event_id), v.fingerprint, v.source, v.ticket_id, v.customer, at(v.created),
                     None if v.updated is None else at(v.updated), v.partition_key, v.payload.decode(),
                     '{"ingest_batch_id":"batch-1"}', [],
                     asset_id, number, self.run_id, load_id)
                    for v, number in fresh.values()
                ],
            )  # fmt: skip

    def complete(self, load_id: str) -> None:
        """Make the load visible, and the ruleset of its lines the asset's latest if it is greater."""
        for asset_id, ruleset_id in {(a, r) for load, a, _, r, _ in self.history.lines if load == load_id}:
            self.execute(
                "insert into ops.asset_index (asset_id, ruleset_id, line_count, indexed_line_count, is_complete,"
                " run_id, attempt) values (%s, %s, 1, 1, true, %s, 1) on conflict do nothing",
                asset_id,
                ruleset_id,
                self.run_id,
            )
            self.history.rulesets[asset_id] = max(ruleset_id, self.history.rulesets.get(asset_id, 0))
        self.execute(
            "insert into ops.completed_load (load_id, table_name, record_kind, run_id, attempt, row_count, row_digest)"
            " select %s, table_name, 'ticket_v1', %s, 1, 0, 0"
            " from unnest('{record_event,asset_line}'::text[]) as table_name",
            load_id,
            self.run_id,
        )
        self.history.completed.add(load_id)

    def land(self, load_id: str, asset_id: int, *versions: Version | None, ruleset_id: int = 1) -> None:
        """One completed load: the asset's lines from line 1."""
        self.load(load_id, asset_id, dict(enumerate(versions, start=1)), ruleset_id=ruleset_id)
        self.complete(load_id)

    def silver(self) -> Silver:
        """What Silver holds, in the shape of `expected()`."""
        tickets = self.execute("select ticket_id, event_id::text, version_count from silver.ticket_fact")
        customers = self.execute("select customer_id, event_id::text, org_id, last_seen_at from silver.customer_dim")
        return {row[0]: row[1:] for row in tickets}, {row[0]: row[1:] for row in customers}

    def expected(self) -> Silver:
        return self.history.tickets(), self.history.customers()

    def rows(self, table: str) -> list[Any]:
        """All columns of all rows, in no order that depends on storage."""
        return [
            row for (row,) in self.execute(f"select to_jsonb(t) from silver.{table} as t order by to_jsonb(t)::text")
        ]
