"""What readers see, at size: the gate's share of an ingest, restore, release, ready, and what a late update stores."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from bench import timed
from bench.cpu import measuring
from bench.exports import Exports
from bench.measure import BenchError, Measurement, measure_python
from bench.routes import LOADER, environment_of
from bench.warehouses import fresh_warehouse, query
from loader.config import Settings
from loader.manifest.build import BatchTerms, build_manifest
from loader.manifest.files import write_manifest
from loader.warehouse import Role, Warehouse

_UPDATED_PER_DAY = 10
_LOOKUPS = 20

TICKETS = """
select raw_payload from (
    select event.raw_payload, row_number() over (partition by event.partition_key order by event.record_key) as place
    from bronze.raw_ticket_event as event
    inner join serving.ticket_fact as fact on fact.event_id = event.event_id
) as numbered where place <= {}
"""
_STORED = "select count(*), pg_total_relation_size('release.ticket_fact') from release.ticket_fact"
_NEWEST = "select max(data_release_id) from release.data_release"


@dataclass(frozen=True, slots=True)
class Releases:
    """`gate_seconds`: of them the seconds of `one_day` that the gate took. `changed_count` tickets of every day were
    updated late; release.ticket_fact grew by `stored_count` rows and `stored_bytes`, indexes included."""

    one_day: Measurement
    gate_seconds: float
    late: Measurement
    changed_count: int
    stored_count: int
    stored_bytes: int
    restore_day: list[Measurement]
    restore_all: list[Measurement]
    release: Measurement
    ready: list[Measurement]
    lookup: Measurement
    status: Measurement


def releases(settings: Settings, exports: Exports, work: Path, *, rounds: int) -> Releases:
    """All days but the last are there and released; the last comes, then a late update of a few tickets of each day;
    then readers go back and forth between the two."""
    with fresh_warehouse(settings, "releases") as warehouse:
        first, last = exports.days
        if first == last:
            raise BenchError("releases need two days at least")
        gate = work / "gate_seconds"
        work.mkdir(parents=True, exist_ok=True)
        environment = {
            **environment_of(warehouse, exports, work),
            "LOADER_REJECT_LIMIT": "1",
            "LOADER_ALLOWED_ROOTS": f"{exports.folder}:{work}",
            timed.NAME: str(gate),
        }

        def loader(*words: str) -> Measurement:
            return measure_python((*LOADER, *words), environment=environment, root=settings.project_root)

        window = ("--from", first.isoformat(), "--to", (last - timedelta(days=1)).isoformat())
        loader("backfill", *window, "--manifest", str(exports.manifest), "--mode", "execute")
        day = ("--partition", last.isoformat())
        ingest = ("-c", "from bench.timed import run; run()", "ingest", "--manifest", str(exports.manifest), *day)
        with measuring(warehouse) as cpu:
            one_day = measure_python(ingest, environment=environment, root=settings.project_root)
        one_day = replace(one_day, cpu=cpu)
        gate_seconds = sum(map(float, gate.read_text().split()))
        before = _only(warehouse, _NEWEST)[0]
        stored = _only(warehouse, _STORED)
        changed, manifest = _late_update(settings, warehouse, work)
        late = loader("ingest", "--manifest", str(manifest))
        grown = _only(warehouse, _STORED)
        after = _only(warehouse, _NEWEST)[0]
        why = ("--reason", "bench", "--mode", "execute")
        one, everything = [], []
        for _ in range(rounds):
            one.append(loader("restore", *day, "--release", str(before), *why))
            everything.append(loader("restore", "--all", "--release", str(before), *why))
            loader("restore", "--all", "--release", str(after), *why)
        release = loader("release", *day)
        ready = [loader("ready", *day) for _ in range(rounds)]
        lookup = _asked(
            warehouse,
            "select * from serving.customer_dim where customer_id = %s",
            query(warehouse, f"select distinct customer_id from serving.ticket_fact limit {_LOOKUPS}"),
        )
        status = _asked(warehouse, "select * from serving.partition_status", [()] * _LOOKUPS)
    shutil.rmtree(work, ignore_errors=True)
    return Releases(
        one_day,
        gate_seconds,
        late,
        changed,
        grown[0] - stored[0],
        grown[1] - stored[1],
        one,
        everything,
        release,
        ready,
        lookup,
        status,
    )


def _late_update(settings: Settings, warehouse: Warehouse, work: Path) -> tuple[int, Path]:
    """An export with a new version of a few tickets of every day, and its manifest; returns how many there are."""
    as_dbt = warehouse.acting_as(Role.TRANSFORM)
    with closing(as_dbt.connect(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute(TICKETS.format(_UPDATED_PER_DAY))
        records = [orjson.loads(payload) for (payload,) in cursor.fetchall()]
    folder = work / "late"
    folder.mkdir(parents=True)
    lines = [orjson.dumps(_updated(record)) + b"\n" for record in records]
    (folder / "tickets-late.jsonl").write_bytes(b"".join(lines))
    terms = BatchTerms(owner="bench", license="CC0-1.0", pii_scan_status="clean", is_canonized=True, name="late")
    out = work / "late.json"
    write_manifest(build_manifest(folder, out, project_root=settings.project_root, terms=terms).manifest)
    return len(lines), out


def _updated(record: Mapping[str, Any]) -> dict[str, Any]:
    # A payload in Bronze is without the batch of its delivery.
    changes = {"priority": "p1_critical", "updated_at": "2026-09-01T00:00:00Z", "ingest_batch_id": "batch-20260901-001"}
    return {**record, **changes}


def _only(warehouse: Warehouse, statement: str) -> tuple[int, ...]:
    ((*values,),) = query(warehouse, statement)
    return tuple(values)


def _asked(warehouse: Warehouse, statement: str, parameters: list[tuple[Any, ...]]) -> Measurement:
    """Seconds of the slowest of these, in one session, after a first one that counts for nothing."""
    slowest = 0.0
    reader = warehouse.acting_as(Role.READER)
    with closing(reader.connect(autocommit=True)) as connection, connection.cursor() as cursor:
        cursor.execute(statement, parameters[0])
        for values in parameters:
            began = time.perf_counter()
            cursor.execute(statement, values)
            cursor.fetchall()
            slowest = max(slowest, time.perf_counter() - began)
    return Measurement(slowest, 0)
