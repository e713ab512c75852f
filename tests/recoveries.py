"""Recovery verbs in this process, planned, written, read back and applied as an operator would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from loader.contract.record import AcceptedRecord, RejectedRecord
from loader.ingest import Verdict
from loader.kinds import Ruleset
from loader.plans import write_plan
from loader.recovery import apply_plan, make_plan, read_plan
from loader.warehouse import Warehouse
from tests.ingests import declare, rows, run, settings, ticket, write_export

# Everything that a run leaves, without what tells one execution from another (load ids, times, attempt numbers).
_TABLES = {
    "raw_ticket_event": "select to_jsonb(t) - '_dlt_load_id' from bronze.raw_ticket_event as t order by event_id",
    "asset_line": "select to_jsonb(t) - '_dlt_load_id' from bronze.asset_line as t"
    " order by asset_id, line_number, ruleset_id",
    "rejected_record": "select to_jsonb(t) - '_dlt_load_id' from bronze.rejected_record as t"
    " order by asset_id, line_number, ruleset_id",
    "asset_index": "select to_jsonb(t) - '{attempt,indexed_at}'::text[] from ops.asset_index as t"
    " order by asset_id, ruleset_id",
    "asset_partition": "select to_jsonb(t) - 'taken_at' from ops.asset_partition as t"
    " order by asset_id, ruleset_id, partition_key",
    "ticket_fact": "select to_jsonb(t) - 'dlt_load_id' from silver.ticket_fact as t order by ticket_id",
    "customer_dim": "select to_jsonb(t) - 'dlt_load_id' from silver.customer_dim as t order by customer_id",
    "ticket_row": "select to_jsonb(t) - '{first_release_id,end_release_id,row_digest,dlt_load_id}'::text[]"
    " from release.ticket_fact as t order by ticket_id, partition_key, first_release_id",
    "served": "select to_jsonb(t) - '{data_release_id,dlt_load_id}'::text[] from serving.ticket_fact as t"
    " order by ticket_id",
    "reconcile_partition": "select to_jsonb(t) from reconcile.reconcile_partition as t order by partition_key",
    "state": "select record_source, state_kind, case when state_kind <> 'checkpoint' then value_at end"
    " from ops.ingest_state order by 1, 2",
}


DAYS = [f"2026-04-{day}" for day in (15, 16, 17)]


def daily_exports(root: Path) -> Path:
    """A manifest of three daily exports; the later ones update earlier days, repeat a line, and hold a reject."""
    folder = root / "e"
    for place, day in enumerate(DAYS):
        lines: list[Any] = [of_day(day, number) for number in range(1, 5)]
        if place:
            before = DAYS[place - 1]
            lines += [of_day(before, 1, status="closed", updated_at=f"{day}T09:00:00Z"), lines[0], b"{broken"]
        write_export(folder / f"tickets-{day}.jsonl", lines)
    return declare(folder)


def three_days(root: Path) -> Path:
    """`daily_exports`, ingested whole, and its manifest: a state (tests/states.py) under LOADER_REJECT_LIMIT=0.5."""
    manifest = daily_exports(root)
    verdict = run(manifest)
    assert verdict.exit_code == 0, verdict.problems
    return manifest


def of_day(day: str, number: int, **changes: Any) -> dict[str, Any]:
    return ticket(
        number, ticket_id=f"TKT-{day.replace('-', '')}-{number:06d}", created_at=f"{day}T08:00:00Z", **changes
    )


def backfill_window(first: str, end: str, exports: Path, **changes: Any) -> dict[str, Any]:
    """The arguments of a backfill of `[first, end)` from one manifest."""
    return {"window_start": first, "window_end": end, "manifest_paths": [str(exports)], **changes}


def latest_run(database: Warehouse) -> str:
    """The run that was started last."""
    ((run_id,),) = rows(database, "select run_id::text from ops.ingest_run order by event_number desc limit 1")
    return str(run_id)


# Where a run can fail in this process, by stage: functions as they are called.
STAGES = {
    "gate": "loader.ingest.execution.inspect_manifest",
    "archive": "loader.raw_zone.RawZone.put",
    "registration": "loader.ingest.execution.plan_reading",
    "load": "loader.bronze.load.BronzeLoader.load",
    "completion": "loader.ingest.execution.complete",
    "dbt": "loader.ingest.proving.run_dbt",
    "facts": "loader.ingest.proving.read_facts",
    "evidence": "loader.ingest.evidence.Evidence.write",
}


@contextmanager
def failing(stage: str | None) -> Iterator[None]:
    """Commands in this block fail in a stage, as on a full disk."""

    def dies(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        if stage is not None:
            patch.setattr(STAGES[stage], dies)
        yield


def left_by_runs(warehouse: Warehouse, run_id: object = None) -> dict[str, list[Any]]:
    """What the runs left in each table.

    With `run_id`, two histories can be compared: it is read as `R` where it stands, and an asset_id, of which an
    aborted transaction may have used some up, as its place among all of them.
    """
    found = {name: rows(warehouse, statement) for name, statement in _TABLES.items()}
    if run_id is None:
        return found
    assets = rows(warehouse, "select asset_id, rank() over (order by asset_id) from ops.source_asset")
    places = dict(assets)
    return {name: [_read_as(row, str(run_id), places) for row in held] for name, held in found.items()}


def _read_as(value: Any, run_id: str, places: dict[int, int]) -> Any:
    if isinstance(value, dict):
        return {
            name: places.get(each) if name == "asset_id" else _read_as(each, run_id, places)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_read_as(each, run_id, places) for each in value]
    return "R" if value == run_id else value


def planned(verb: str, **request: Any) -> dict[str, Any]:
    """The plan of a verb as its file has it, checked against its schema."""
    if verb == "replay":
        request = {"run_id": None, "batch_id": None, "rejected_only": False, **request}
    if verb == "backfill":
        request = {"manifest_paths": [], "keep_going": False, **request}
    path = write_plan(settings(), make_plan(settings(), verb, request))
    return read_plan(settings(), path)


def recover(verb: str, **request: Any) -> Verdict:
    return apply_plan(settings(), planned(verb, **request))


def stricter_contract(patch: pytest.MonkeyPatch, version: str, is_refused: Callable[[str], bool]) -> None:
    """A contract that refuses some tickets too, in this process."""
    judge = Ruleset.judge

    def stricter(ruleset: Ruleset, line: bytes) -> AcceptedRecord | RejectedRecord:
        judged = judge(ruleset, line)
        if isinstance(judged, AcceptedRecord) and is_refused(judged.record_key) and judged.updated_at is None:
            return RejectedRecord(("schema_violation",), "refused by a test", "$", judged.partition_key)
        return judged

    patch.setattr("loader.kinds.ticket.VERSION", version)
    patch.setattr(Ruleset, "judge", stricter)
