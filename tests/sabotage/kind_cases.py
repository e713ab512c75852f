"""Records under another kind than theirs, and tables that say so."""

from __future__ import annotations

from tests.sabotage.case import Case
from tests.sabotage.victims import LOAD, SHOWN

KINDS = (
    Case(
        "mistake an event for one of another kind",
        (f"update bronze.record_event set record_kind = ':other' where event_id = {SHOWN}",),
        "bronze.record_event",
        "load_of_another_kind",
        other_kind="its partition has an event too many",
    ),
    Case(
        "say that a load is of another kind",
        (f"update ops.completed_load set record_kind = ':other' where load_id = {LOAD}",),
        "ops.completed_load",
        "load_of_another_kind",
    ),
    Case(
        "say that a load's lines are of another kind",
        (f"update ops.completed_load set record_kind = ':other' where load_id = {LOAD} and table_name = 'asset_line'",),
        "ops.completed_load",
        "load_of_another_kind",
    ),
    Case(
        "say that a run was of another kind",
        (
            (
                "update ops.ingest_run set record_kind = ':other' where run_id ="
                f" (select run_id from ops.completed_load where load_id = {LOAD} and table_name = 'record_event')"
            ),
        ),
        "ops.ingest_run",
        "run_of_another_kind",
    ),
)
