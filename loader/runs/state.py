"""Checkpoint, cursor and watermark as an operator sees and, with a reason, resets them.

Runs move them (Ledger.finish), forwards only; the table itself refuses anything else that gives no reason.
"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any

from loader.errors import CommandUsageError
from loader.runs.lock import IngestLock
from loader.runs.operator import acting_operator

if TYPE_CHECKING:
    from loader.warehouse import Warehouse

_STATE = """
select dataset, record_source, state_kind, run_id::text as run_id,
    to_char(value_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as value_at
from ops.ingest_state where dataset = coalesce(%s, dataset) order by dataset, record_source, state_kind
"""

_CHANGES = """
select to_char(changed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as changed_at, dataset, record_source,
    state_kind,
    to_char(old_value_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as old_value_at,
    to_char(new_value_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as new_value_at,
    run_id::text as run_id, operator, reason
from ops.ingest_state_change where dataset = coalesce(%s, dataset) order by change_id desc limit %s
"""


def read_state(
    warehouse: Warehouse, dataset: str | None, change_limit: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The state of a dataset, or of each, as it is, and the last changes, newest first; instants as ISO 8601 in UTC."""
    connection = warehouse.connect(application_name="omnisupport-state")
    with closing(connection), connection, connection.cursor() as cursor:
        return _rows(cursor, _STATE, (dataset,)), _rows(cursor, _CHANGES, (dataset, change_limit))


def reset_state(
    warehouse: Warehouse,
    dataset: str,
    kind: str,
    record_source: str,
    value_at: datetime,
    reason: str,
    *,
    wait_seconds: float,
) -> dict[str, Any]:
    """Set one state object, under the ingest lock; returns the change as the history keeps it.

    Raises CommandUsageError when there is no such object, RefusedError when another command holds the lock.
    """
    with closing(IngestLock.acquire(warehouse, wait_seconds=wait_seconds)) as lock, lock.transaction() as cursor:
        cursor.execute(
            "select set_config('omni.reason', %s, true), set_config('omni.operator', %s, true)",
            (reason.strip(), acting_operator()),
        )
        cursor.execute(
            "update ops.ingest_state set value_at = %s, updated_at = now()"
            " where dataset = %s and state_kind = %s and record_source = %s",
            (value_at, dataset, kind, record_source),
        )
        if cursor.rowcount == 0:
            raise CommandUsageError(
                f"no {kind} of record source {record_source!r}; nothing was changed", next_command="make state"
            )
        return _rows(cursor, _CHANGES, (dataset, 1))[0]


def _rows(cursor: Any, query: str, parameters: tuple[Any, ...]) -> list[dict[str, Any]]:
    cursor.execute(query, parameters)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
