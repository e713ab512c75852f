"""Small Bronze loads for tests: an attempt under the lock, records, and what became visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from loader.bronze import AssetReading, Batch, BronzeLoader, Landed, Rows, complete
from loader.config import load_settings
from loader.contract.record import AcceptedRecord
from loader.kinds import Ruleset, load_ruleset
from loader.reader import Line
from loader.runs import Attempt, IngestLock, Job, Ledger, new_run_id, repair
from loader.runs.registry import register_ruleset
from loader.warehouse import Warehouse
from tests.ingests import rows

ROOT = Path(__file__).resolve().parents[2]


def ruleset() -> Ruleset:
    return load_ruleset(ROOT / "contracts")


def accepted(record: dict[str, Any]) -> AcceptedRecord:
    judged = ruleset().judge(orjson.dumps(record))
    assert isinstance(judged, AcceptedRecord), judged
    return judged


@dataclass
class Writer:
    """One attempt that holds the lock, able to load and complete batches of tickets."""

    warehouse: Warehouse
    lock: IngestLock
    attempt: Attempt
    ledger: Ledger
    loader: BronzeLoader
    ruleset_id: int
    load_ids: list[str]

    def load(self, batch: Batch) -> str:
        self.load_ids.append(self.loader.load(batch))
        return self.load_ids[-1]

    def batch(self, records: Sequence[dict[str, Any]], *, asset_id: int) -> Batch:
        lines = Rows(self.ruleset_id)
        for number, record in enumerate(records, start=1):
            line = Line(number, (number - 1) * 100, 100, orjson.dumps(record), None, False)
            judged = accepted(record)
            lines.count(line)
            lines.add_line(asset_id, line, judged)
            lines.add_event(asset_id, line, judged)
        batch = Batch(self.attempt.run_id, ruleset().kind.name)
        batch.add(lines.take())
        return batch

    def complete(self, records: Sequence[dict[str, Any]], *, asset_id: int) -> None:
        reading = AssetReading(asset_id, len(records), len(records))
        for record in records:
            reading.records[accepted(record).partition_key] += 1
        with self.ledger.boundary("landed") as cursor:
            complete(
                cursor,
                self.attempt,
                Landed(tuple(self.load_ids), (reading,)),
                ruleset_id=self.ruleset_id,
                window=None,
                is_limited=False,
            )


@contextmanager
def writer(warehouse: Warehouse, working_root: Path, *, with_repair: bool = True) -> Iterator[Writer]:
    """An attempt under the ingest lock, repaired before; leaving it closes the lock like a death would."""
    lock = IngestLock.acquire(warehouse)
    try:
        if with_repair:
            repair(lock, working_root)
        attempt, ledger, ruleset_id = start_attempt(lock)
        # As an ingest would: by the route that LOADER_LOAD_FORMAT names.
        loader = BronzeLoader(warehouse, attempt, working_root, ruleset().kind, load_format=load_settings().load_format)
        yield Writer(warehouse, lock, attempt, ledger, loader, ruleset_id, [])
    finally:
        lock.close()


@contextmanager
def running_attempt(warehouse: Warehouse) -> Iterator[Attempt]:
    """An attempt that holds the ingest lock, and has loaded nothing."""
    lock = IngestLock.acquire(warehouse)
    try:
        yield start_attempt(lock)[0]
    finally:
        lock.close()


def start_attempt(lock: IngestLock) -> tuple[Attempt, Ledger, int]:
    attempt = Attempt(new_run_id(), 1, "0" * 31 + "1")
    ledger = Ledger(lock, attempt, "bronze.raw_ticket_event")
    with lock.transaction() as cursor:
        ruleset_id = register_ruleset(cursor, ruleset())
    ledger.start(Job("ingest", "batch-20260417-001", (), None, None, ruleset_id))
    return attempt, ledger, ruleset_id


def new_asset(warehouse: Warehouse, name: str, *, size: int = 100) -> int:
    """A source asset without a file, for tests that only look at Bronze."""
    import hashlib

    return int(
        rows(
            warehouse,
            "insert into ops.source_asset (source_fingerprint, record_kind, size_bytes, content_encoding,"
            " content_bytes, raw_zone_key, registered_by_run_id)"
            " values (%s, 'ticket_v1', %s, 'identity', %s, 'none', gen_random_uuid())"
            " returning asset_id",
            hashlib.sha256(name.encode()).hexdigest(),
            size,
            size,
        )[0][0]
    )


VISIBLE = (
    "select count(*) from bronze.raw_ticket_event as event inner join ops.completed_load as load"
    " on load.load_id = event._dlt_load_id and load.table_name = 'record_event'"
)


def visible_events(warehouse: Warehouse) -> int:
    return int(rows(warehouse, VISIBLE)[0][0])
