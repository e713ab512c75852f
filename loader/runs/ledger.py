"""The run ledger: a row per attempt in ops.ingest_run, written before work starts and at each boundary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from loader import __version__
from loader.errors import InfrastructureError
from loader.manifest import Manifest
from loader.runs.anchors import Attempt
from loader.runs.lock import IngestLock

T = TypeVar("T")
FUTURE_TOLERANCE = timedelta(minutes=5)
FIRST_INSTANT = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is asked to do. The window is half-open, in partitions; None means every partition."""

    mode: str
    batch_id: str
    manifests: tuple[Manifest, ...]
    window: tuple[date, date] | None
    line_limit: int | None
    ruleset_id: int
    refused_manifests: tuple[Mapping[str, Any], ...] = ()
    git_sha: str | None = None
    plan: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class AssetAction:
    """What an attempt does with one declared asset; see ops.run_asset."""

    manifest_id: str
    source_id: str
    asset_id: int | None
    action: str
    judgement: str
    reason_codes: tuple[str, ...]


class Ledger:
    """Writes one attempt's progress, each boundary in a transaction of the lock's writer. `dataset`: what its
    checkpoint, cursor and watermark are of."""

    def __init__(self, lock: IngestLock, attempt: Attempt, dataset: str) -> None:
        self._lock = lock
        self.attempt = attempt
        self._dataset = dataset

    def start(self, job: Job, before: Callable[[Any], None] = lambda cursor: None) -> datetime:
        """Write the attempt's row before any work; returns the database's start time (UTC). `before`: what is done in
        the same transaction, so that a crash leaves an attempt to retry."""
        start, end = job.window or (None, None)
        with self._lock.transaction() as cursor:
            before(cursor)
            cursor.execute(
                "insert into ops.ingest_run (run_id, attempt, trace_id, mode, status, stage, batch_id, manifest_ids,"
                " declared_manifests, record_kind, ruleset_id, window_start, window_end, line_limit,"
                " refused_manifests, plan, watermarks, writer_token, lock_pid, process_id, host, loader_version,"
                " git_sha)"
                " select %s, %s, %s, %s, 'running', 'started', %s, %s, %s,"
                " (select contract_ref from ops.ruleset where ruleset_id = %s), %s, %s, %s, %s, %s, %s,"
                " coalesce((select jsonb_object_agg(record_source, value_at) from ops.ingest_state"
                " where dataset = %s and state_kind = 'watermark'), '{}'), %s, %s, %s, %s, %s, %s"
                " returning started_at",
                (
                    *self._key,
                    self.attempt.trace_id,
                    job.mode,
                    job.batch_id,
                    [manifest.manifest_id for manifest in job.manifests],
                    json.dumps([_as_declared(manifest) for manifest in job.manifests]),
                    job.ruleset_id,
                    job.ruleset_id,
                    start,
                    end,
                    job.line_limit,
                    json.dumps(list(job.refused_manifests)),
                    None if job.plan is None else json.dumps(job.plan),
                    self._dataset,
                    self._lock.token,
                    self._lock.backend_pid,
                    self._lock.process_id,
                    self._lock.host,
                    __version__,
                    job.git_sha,
                ),
            )
            return _only(cursor, datetime)

    @contextmanager
    def boundary(self, stage: str) -> Iterator[Any]:
        """A transaction that ends `stage`: whatever is written in it holds only if the attempt is still current.

        Raises InfrastructureError, and rolls back, when another command declared this attempt dead.
        """
        with self._lock.transaction() as cursor:
            cursor.execute(
                "update ops.ingest_run set stage = %(stage)s,"
                " last_stage = case when %(stage)s = 'finished' then last_stage else %(stage)s end,"
                " stage_ended_at = stage_ended_at || jsonb_build_object(%(stage)s::text, clock_timestamp())"
                " where run_id = %(run_id)s and attempt = %(attempt)s and status = 'running'",
                {"stage": stage, "run_id": str(self.attempt.run_id), "attempt": self.attempt.number},
            )
            if cursor.rowcount != 1:
                raise InfrastructureError(
                    f"run {self.attempt.run_id} attempt {self.attempt.number} is no longer current: another command"
                    f" declared it dead before stage {stage} was recorded. Its loads stay invisible.",
                    next_command="make status",
                )
            yield cursor

    def begin_landing(self) -> None:
        """Loads follow that are not completed yet: until they are, repair searches Bronze for this attempt's rows."""
        with self.boundary("archived") as cursor:
            cursor.execute(
                "update ops.ingest_run set stage_ended_at = stage_ended_at - 'landed'"
                " where run_id = %s and attempt = %s",
                self._key,
            )

    def note(self, column: str, value: Any) -> None:
        """Set one descriptive column of the attempt's row; `column` comes from the code, never from input."""
        with self._lock.transaction() as cursor:
            cursor.execute(
                f"update ops.ingest_run set {column} = %s where run_id = %s and attempt = %s",
                (value, *self._key),
            )

    def record_actions(self, cursor: Any, actions: Sequence[AssetAction]) -> None:
        for action in actions:
            cursor.execute(
                "insert into ops.run_asset (run_id, attempt, manifest_id, source_id, asset_id, action, judgement,"
                " reason_codes) values (%s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    *self._key,
                    action.manifest_id,
                    action.source_id,
                    action.asset_id,
                    action.action,
                    action.judgement,
                    list(action.reason_codes),
                ),
            )

    @contextmanager
    def finish(self, status: str, *, exit_code: int, failure: str | None, lateness: timedelta | None) -> Iterator[Any]:
        """End the attempt when the block ends well: what the block writes (evidence) must be there first.

        With `lateness` (a clean, durable run) the three state objects move, never backwards. The cursor given to
        the block sees the attempt as ended; if the block raises, the attempt is still running.
        """
        with self.boundary("finished") as cursor:
            cursor.execute(
                "update ops.ingest_run set status = %s, exit_code = %s, failure = %s, finished_at = now()"
                " where run_id = %s and attempt = %s",
                (status, exit_code, _storable(failure), *self._key),
            )
            if lateness is not None:
                self._advance_state(cursor, lateness)
            yield cursor

    def _advance_state(self, cursor: Any, lateness: timedelta) -> None:
        """Checkpoint, cursor and watermark of each record source in what this run's assets brought.

        Also where an earlier run landed the events and then failed: the state counts what was seen, not who landed it;
        an instant in the future counts up to five minutes after the start of the attempt that landed it. What was seen
        before an operator reset the source's state does not undo that.
        """
        cursor.execute(
            "with mine as ("
            "  select distinct asset_id from ops.run_asset"
            "  where run_id = %(run_id)s and attempt = %(attempt)s and action in ('parsed', 'unchanged')"
            "), landing as ("
            # Loads that brought events of these assets; `is_mixed`: of others too, in an attempt that failed.
            "  select load.load_id, load.newest_at, load.event_number, run.started_at,"
            "    bool_or(mine.asset_id is null) and run.status not in ('success', 'warning') as is_mixed"
            "  from ops.completed_load as load"
            "  inner join ops.ingest_run as run on run.run_id = load.run_id and run.attempt = load.attempt"
            "  inner join ops.run_asset as entry on entry.run_id = load.run_id and entry.attempt = load.attempt"
            "    and entry.action = 'parsed'"
            "  left join mine on mine.asset_id = entry.asset_id"
            "  where load.table_name = 'record_event'"
            "  group by load.load_id, load.newest_at, load.event_number, run.started_at, run.status"
            "  having bool_or(mine.asset_id is not null)"
            "), brought as ("
            "  select newest.key as record_source, newest.value::timestamptz as newest_at, landing.event_number,"
            "    landing.started_at"
            "  from landing cross join lateral jsonb_each_text(landing.newest_at) as newest where not landing.is_mixed"
            "  union all"
            "  select event.record_source, max(coalesce(event.updated_at, event.created_at)), landing.event_number,"
            "    landing.started_at"
            "  from landing inner join bronze.record_event as event on event._dlt_load_id = landing.load_id"
            "  inner join mine on mine.asset_id = event.asset_id"
            "  where landing.is_mixed"
            "  group by event.record_source, landing.load_id, landing.event_number, landing.started_at"
            "), seen as ("
            "  select brought.record_source, kind.state_kind,"
            "    max(least(brought.newest_at, brought.started_at + %(tolerance)s)) filter ("
            "      where brought.event_number > coalesce((select max(change.event_number)"
            "        from ops.ingest_state_change as change where change.dataset = %(dataset)s"
            "          and change.record_source = brought.record_source"
            "          and change.state_kind = kind.state_kind and change.reason is not null), 0)) as newest"
            "  from brought cross join (values ('checkpoint'), ('cursor'), ('watermark')) as kind (state_kind)"
            "  group by brought.record_source, kind.state_kind"
            "), state as ("
            "  select record_source, state_kind, case state_kind when 'checkpoint' then now() when 'cursor' then newest"
            # Before year 1 no later reader could hold it.
            "    else case when newest - %(first)s < %(lateness)s then %(first)s else newest - %(lateness)s end end"
            "    as value_at from seen"
            ") insert into ops.ingest_state as old (dataset, record_source, state_kind, value_at, run_id)"
            " select %(dataset)s, record_source, state_kind, value_at, %(run_id)s from state where value_at is not null"
            # A clock that went back moves nothing back: the checkpoint then names the run, and keeps its instant.
            " on conflict (dataset, record_source, state_kind) do update"
            " set value_at = greatest(excluded.value_at, old.value_at), run_id = excluded.run_id, updated_at = now()"
            " where excluded.value_at > old.value_at or old.state_kind = 'checkpoint'",
            {
                "tolerance": FUTURE_TOLERANCE,
                "lateness": lateness,
                "first": FIRST_INSTANT,
                "dataset": self._dataset,
                "run_id": str(self.attempt.run_id),
                "attempt": self.attempt.number,
            },
        )

    @property
    def _key(self) -> tuple[str, int]:
        return str(self.attempt.run_id), self.attempt.number


def _as_declared(manifest: Manifest) -> dict[str, Any]:
    return {
        "manifest_id": manifest.manifest_id,
        "manifest_sha256": manifest.sha256,
        "manifest_path": str(manifest.path),
        "is_implicit": manifest.is_implicit,
    }


def _storable(text: str | None) -> str | None:
    """An error may quote a path that is no UTF-8; the row that says so must be written all the same."""
    return None if text is None else text.encode(errors="backslashreplace").decode().replace("\0", "\\0")


def _only(cursor: Any, kind: type[T]) -> T:
    (value,) = cursor.fetchone()
    assert isinstance(value, kind)
    return value
