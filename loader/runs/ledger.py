"""The run ledger: a row per attempt in ops.ingest_run, written before work starts and at each boundary."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from loader import __version__
from loader.errors import InfrastructureError
from loader.manifest import Manifest
from loader.runs.anchors import Attempt
from loader.runs.lock import IngestLock
from loader.runs.state import advance_state

T = TypeVar("T")


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
                advance_state(cursor, self.attempt, self._dataset, lateness)
            yield cursor

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
