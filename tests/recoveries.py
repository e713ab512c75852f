"""Recovery verbs in this process, planned, written, read back and applied as an operator would."""

from __future__ import annotations

from typing import Any

from loader.ingest import Verdict
from loader.recovery import apply_plan, make_plan, read_plan
from loader.warehouse import Warehouse
from tests.ingests import rows, settings

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
    "reconcile_partition": "select to_jsonb(t) from reconcile.reconcile_partition as t order by partition_key",
    "state": "select record_source, state_kind, case when state_kind <> 'checkpoint' then value_at end"
    " from ops.ingest_state order by 1, 2",
}


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
    path = make_plan(settings(), verb, request).write(settings())
    return read_plan(settings(), path)


def recover(verb: str, **request: Any) -> Verdict:
    return apply_plan(settings(), planned(verb, **request))
