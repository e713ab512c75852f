"""Checkpoint, cursor and watermark: runs move them, forwards only; an operator sees and, with a reason, resets them.

The table itself refuses anything else that gives no reason.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from loader.errors import CommandUsageError
from loader.runs.anchors import Attempt, acting_operator
from loader.runs.lock import IngestLock

if TYPE_CHECKING:
    from loader.warehouse import Warehouse

FUTURE_TOLERANCE = timedelta(minutes=5)
FIRST_INSTANT = datetime(1, 1, 1, tzinfo=UTC)

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


# What a run's assets brought to each record source. An instant in the future counts up to FUTURE_TOLERANCE after the
# start of the attempt that landed it.
_ADVANCE = """
with mine as (
  select distinct asset_id from ops.run_asset
  where run_id = %(run_id)s and attempt = %(attempt)s and action in ('parsed', 'unchanged')
), landing as (
  -- Loads that brought events of these assets; `is_mixed`: of others too, in an attempt that failed.
  select load.load_id, load.newest_at, load.event_number, run.started_at,
    bool_or(mine.asset_id is null) and run.status not in ('success', 'warning') as is_mixed
  from ops.completed_load as load
  inner join ops.ingest_run as run on run.run_id = load.run_id and run.attempt = load.attempt
  inner join ops.run_asset as entry on entry.run_id = load.run_id and entry.attempt = load.attempt
    and entry.action = 'parsed'
  left join mine on mine.asset_id = entry.asset_id
  where load.table_name = 'record_event'
  group by load.load_id, load.newest_at, load.event_number, run.started_at, run.status
  having bool_or(mine.asset_id is not null)
), brought as (
  select newest.key as record_source, newest.value::timestamptz as newest_at, landing.event_number,
    landing.started_at
  from landing cross join lateral jsonb_each_text(landing.newest_at) as newest where not landing.is_mixed
  union all
  select event.record_source, max(coalesce(event.updated_at, event.created_at)), landing.event_number,
    landing.started_at
  from landing inner join bronze.record_event as event on event._dlt_load_id = landing.load_id
  inner join mine on mine.asset_id = event.asset_id
  where landing.is_mixed
  group by event.record_source, landing.load_id, landing.event_number, landing.started_at
), seen as (
  select brought.record_source, kind.state_kind,
    max(least(brought.newest_at, brought.started_at + %(tolerance)s)) filter (
      where brought.event_number > coalesce((select max(change.event_number)
        from ops.ingest_state_change as change where change.dataset = %(dataset)s
          and change.record_source = brought.record_source
          and change.state_kind = kind.state_kind and change.reason is not null), 0)) as newest
  from brought cross join (values ('checkpoint'), ('cursor'), ('watermark')) as kind (state_kind)
  group by brought.record_source, kind.state_kind
), state as (
  select record_source, state_kind, case state_kind when 'checkpoint' then now() when 'cursor' then newest
    -- Before year 1 no later reader could hold it.
    else case when newest - %(first)s < %(lateness)s then %(first)s else newest - %(lateness)s end end
    as value_at from seen
)
insert into ops.ingest_state as old (dataset, record_source, state_kind, value_at, run_id)
select %(dataset)s, record_source, state_kind, value_at, %(run_id)s from state where value_at is not null
-- A clock that went back moves nothing back: the checkpoint then names the run, and keeps its instant.
on conflict (dataset, record_source, state_kind) do update
set value_at = greatest(excluded.value_at, old.value_at), run_id = excluded.run_id, updated_at = now()
where excluded.value_at > old.value_at or old.state_kind = 'checkpoint'
"""


@dataclass(frozen=True, slots=True)
class StateObject:
    """`state_kind`: checkpoint, cursor or watermark of what a dataset has from a record source."""

    dataset: str
    state_kind: str
    record_source: str


def advance_state(cursor: Any, attempt: Attempt, dataset: str, lateness: timedelta) -> None:
    """Move checkpoint, cursor and watermark of each record source in what this attempt's assets brought.

    Also where an earlier run landed the events and then failed: the state counts what was seen, not who landed it. What
    was seen before an operator reset the source's state does not undo that.
    """
    cursor.execute(
        _ADVANCE,
        {
            "tolerance": FUTURE_TOLERANCE,
            "lateness": lateness,
            "first": FIRST_INSTANT,
            "dataset": dataset,
            "run_id": str(attempt.run_id),
            "attempt": attempt.number,
        },
    )


def read_state(
    warehouse: Warehouse, dataset: str | None, change_limit: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The state of a dataset, or of each, as it is, and the last changes, newest first; instants as ISO 8601 in UTC."""
    connection = warehouse.connect(application_name="omnisupport-state")
    with closing(connection), connection, connection.cursor() as cursor:
        return _rows(cursor, _STATE, (dataset,)), _rows(cursor, _CHANGES, (dataset, change_limit))


def reset_state(
    warehouse: Warehouse, which: StateObject, value_at: datetime, reason: str, *, wait_seconds: float
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
            (value_at, which.dataset, which.state_kind, which.record_source),
        )
        if cursor.rowcount == 0:
            raise CommandUsageError(
                f"no {which.state_kind} of record source {which.record_source!r}; nothing was changed",
                next_command="make state",
            )
        return _rows(cursor, _CHANGES, (which.dataset, 1))[0]


def _rows(cursor: Any, query: str, parameters: tuple[Any, ...]) -> list[dict[str, Any]]:
    cursor.execute(query, parameters)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
