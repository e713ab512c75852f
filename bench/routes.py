"""The routes: each brings the same exports into a database of its own, and says what is in there then."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

from bench import floor_b, floor_b_load
from bench.cpu import measuring
from bench.exports import Exports, accepted_lines
from bench.floor_a import floor as floor_a
from bench.measure import BenchError, Measurement, measure_python
from bench.warehouses import fresh_warehouse, query
from loader.config import Settings
from loader.warehouse import Role, Warehouse

LOADER = ("-c", "from loader.cli import main; main()")
_STAGES = ("gated", "archived", "landed", "built", "reconciled", "finished")


@dataclass(frozen=True, slots=True)
class Product:
    """The whole chain, the same ingest again, its verification and its rerun, and dbt alone on what was landed."""

    chain: Measurement
    again: Measurement
    verify: Measurement
    rerun: Measurement
    dbt: Measurement


def product(settings: Settings, exports: Exports, work: Path) -> Product:
    with fresh_warehouse(settings, "product") as warehouse:
        environment = environment_of(warehouse, exports, work)
        ingest = (*LOADER, "ingest", "--manifest", str(exports.manifest))
        with measuring(warehouse) as cpu:
            chain = measure_python(ingest, environment=environment, root=settings.project_root)
        _require_equal(
            "product",
            query(warehouse, "select count(*), (select count(*) from silver.ticket_fact) from bronze.raw_ticket_event"),
            [(exports.event_count, exports.ticket_count)],
        )
        chain = replace(chain, stages=_stages(warehouse, chain.seconds), cpu=cpu)
        again = measure_python(ingest, environment=environment, root=settings.project_root)
        ((run_id,),) = query(warehouse, "select run_id::text from ops.ingest_run order by started_at limit 1")
        verify = (*LOADER, "verify", "--run", run_id)
        verified = measure_python(verify, environment=environment, root=settings.project_root)
        rerun = (*LOADER, "rerun", "--run", run_id, "--mode", "execute")
        rerun_once = measure_python(rerun, environment=environment, root=settings.project_root)
        query(
            warehouse,
            "drop schema silver, reconcile, staging cascade; create schema silver authorization omni_transform;"
            " create schema reconcile authorization omni_transform; create schema staging authorization omni_transform",
        )
        as_dbt = {**environment, **warehouse.acting_as(Role.TRANSFORM).libpq_environment()}
        dbt = measure_python(_dbt_build(settings, work), environment=as_dbt, root=settings.project_root)
        shutil.rmtree(work, ignore_errors=True)
        return Product(chain, again, verified, rerun_once, dbt)


def backfill(settings: Settings, exports: Exports, work: Path) -> Measurement:
    """All days of the exports as one backfill into an empty warehouse: plan and apply."""
    with fresh_warehouse(settings, "backfill") as warehouse:
        environment = environment_of(warehouse, exports, work)
        first, last = exports.days
        window = ("--from", first.isoformat(), "--to", last.isoformat())
        command = (*LOADER, "backfill", *window, "--manifest", str(exports.manifest), "--mode", "execute")
        measured = measure_python(command, environment=environment, root=settings.project_root)
        _require_equal(
            "backfill",
            query(warehouse, "select count(*), (select count(*) from silver.ticket_fact) from bronze.raw_ticket_event"),
            [(exports.event_count, exports.ticket_count)],
        )
        shutil.rmtree(work, ignore_errors=True)
        return measured


def planning(settings: Settings, exports: Exports, work: Path, *, rounds: int) -> tuple[list[Measurement], ...]:
    """Plans of a backfill of all days of exports that are indexed, and `select 1` through the same command line."""
    with fresh_warehouse(settings, "planning") as warehouse:
        environment = {**environment_of(warehouse, exports, work), "LOADER_REJECT_LIMIT": "1"}
        first, last = exports.days
        ingest = (*LOADER, "ingest", "--manifest", str(exports.manifest), "--partition", first.isoformat())
        window = ("--from", first.isoformat(), "--to", last.isoformat())
        plan = (*LOADER, "plan", "backfill", *window, "--manifest", str(exports.manifest))
        select = (*LOADER, "psql", "--", "-c", "select 1")
        measure_python(ingest, environment=environment, root=settings.project_root)
        plans, selects = [], []
        for _ in range(rounds):
            plans.append(measure_python(plan, environment=environment, root=settings.project_root))
            selects.append(measure_python(select, environment=environment, root=settings.project_root))
        shutil.rmtree(work, ignore_errors=True)
        return plans, selects


def by_hand(settings: Settings, exports: Exports) -> Measurement:
    """Floor A. Its memory is not measured, as of floor B: neither is a program to be run."""
    with fresh_warehouse(settings, "floor_a", with_tables=False) as warehouse:
        # With every right: what it may do is not what is measured.
        warehouse = warehouse.as_administrator()
        floor_a.prepare(warehouse)
        return _in_stages(
            "floor A",
            warehouse,
            exports,
            {
                "load": partial(floor_a.load, warehouse, exports.files),
                "tickets": partial(floor_a.make_tickets, warehouse),
            },
            "public.ticket",
        )


def proved_by_hand(settings: Settings, exports: Exports, work: Path) -> Measurement:
    """Floor B."""
    with fresh_warehouse(settings, "floor_b", with_tables=False) as warehouse:
        warehouse = warehouse.as_administrator()
        floor_b.prepare(warehouse)
        stages: dict[str, Callable[[], None]] = {
            "archive": partial(floor_b.archive, exports.files, work / "archive"),
            "load": partial(floor_b_load.load, warehouse, exports.files),
            **{name: partial(stage, warehouse) for name, stage in floor_b.STAGES.items()},
        }
        measured = _in_stages("floor B", warehouse, exports, stages, "release.ticket_row")
        shutil.rmtree(work, ignore_errors=True)
        return measured


def _in_stages(
    route: str, warehouse: Warehouse, exports: Exports, stages: Mapping[str, Callable[[], None]], tickets: str
) -> Measurement:
    """Run the stages of a floor one after the other; `tickets`: the table with a row for each."""
    seconds = {}
    with measuring(warehouse) as cpu:
        for name, stage in stages.items():
            began = time.perf_counter()
            stage()
            seconds[name] = time.perf_counter() - began
    found = query(warehouse, f"select count(*), (select count(*) from {tickets}) from bronze.raw_ticket_event")
    _require_equal(route, found, [(exports.event_count, exports.ticket_count)])
    return Measurement(sum(seconds.values()), 0, seconds, cpu)


def read_jsonl(settings: Settings, exports: Exports, work: Path, *, line_limit: int) -> tuple[Measurement, int]:
    """dlt's own route, in a process of its own, on the first lines that it can read; returns how many those were."""
    folder = work / "plain"
    folder.mkdir(parents=True)
    with fresh_warehouse(settings, "plain") as warehouse:
        contracts = settings.project_root / "contracts"
        count = accepted_lines(exports, contracts, folder / "tickets.jsonl", limit=line_limit)
        environment = {
            **environment_of(warehouse, exports, work),
            "BENCH_DSN": warehouse.dsn_url(),
            "DLT_DATA_DIR": str(work / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }
        measured = measure_python(
            ("-m", "bench.read_jsonl", str(folder)), environment=environment, root=settings.project_root
        )
        if query(warehouse, "select count(*) > 0 from plain.tickets") != [(True,)]:
            raise BenchError("dlt's read_jsonl route landed nothing")
    shutil.rmtree(work, ignore_errors=True)
    return measured, count


def environment_of(warehouse: Warehouse, exports: Exports, work: Path) -> dict[str, str]:
    # Which checkout it is stays as it was said; every other setting is the default.
    kept = "LOADER_PROJECT_ROOT"
    own = {name: value for name, value in os.environ.items() if name == kept or not name.startswith("LOADER_")}
    return {
        **own,
        **warehouse.libpq_environment(),
        "LOADER_RAW_ZONE": str(work / "raw_zone"),
        "LOADER_REPORT_DIR": str(work / "reports"),
        "LOADER_ALLOWED_ROOTS": str(exports.folder),
    }


def _dbt_build(settings: Settings, work: Path) -> tuple[str, ...]:
    places = ("--project-dir", str(settings.project_root / "dbt_project"), "--profiles-dir", str(settings.project_root))
    target = ("--target-path", str(work / "target"), "--log-path", str(work / "logs"))
    return ("-m", "dbt.cli.main", "--quiet", "build", "--exclude-resource-type", "unit_test", *places, *target)


def _stages(warehouse: Warehouse, seconds: float) -> Mapping[str, float]:
    """Seconds per stage, from the run ledger; what lies before its start and after its last boundary began, the release
    among it, is `process`."""
    ((started, ended),) = query(warehouse, "select started_at, stage_ended_at from ops.ingest_run")
    stages = {}
    before = started
    for stage in _STAGES:
        at = datetime.fromisoformat(ended[stage])
        stages[stage] = (at - before).total_seconds()
        before = at
    stages["process"] = seconds - (before - started).total_seconds()
    return stages


def _require_equal(route: str, found: list[tuple[int, int]], expected: list[tuple[int, int]]) -> None:
    if found != expected:
        raise BenchError(f"{route}: got (events, tickets) {found}, the generator says {expected}")
