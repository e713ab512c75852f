"""The ingest lock: one writer per warehouse, fenced by the life of its lock's session and by a token.

The lock is the relation ops.ingest_lock, which only its owner may lock (infra/postgres/00_locks.sql). A session of its
own holds it in a transaction that stays open, and has no snapshot that would keep VACUUM back; a dead process frees it
without a timeout. What a writer records is committed by a second session while the work goes on. So each transaction of
that one, and Bronze's insert trigger, ask whether the writer is the last that took the lock and still holds it, and who
takes it over waits for whoever was told yes (docs/decisions/0014).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import errors

from loader.errors import InfrastructureError, RefusedError

if TYPE_CHECKING:
    from loader.warehouse import Warehouse

# Sessions of a load are named so, then by their attempt (no blank: it would not survive in a URL).
LOAD_SESSIONS = "omnisupport-load-"
_LOCK_SESSION = "omnisupport-lock"
_WORK_SESSION = "omnisupport-writer"
# PostgreSQL cuts longer names.
_NAME_BYTES = 63
# How long the sessions of a writer that is cut off may take to end, once they were told to.
_SECONDS_TO_END = 60

_HOLDER = """
select holder.pid, run.run_id::text, run.attempt, holder.host, holder.process_id,
    greatest(extract(epoch from now() - holder.taken_at)::bigint, 0), session.usename, session.application_name
from ops.lock_holder as holder
left join ops.ingest_run as run on run.writer_token = holder.token and run.status = 'running'
left join pg_stat_activity as session on session.pid = holder.pid
"""
# Sessions of writers before this one. Only who logged in as they did may end them; another's session has no part here,
# whatever it is named.
_END_SESSIONS = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and usename = session_user
    and (starts_with(application_name, %s) or starts_with(application_name, %s))
"""
_TAKE_OVER = """
insert into ops.writer (token, lock_pid, work_pid, process_id, host)
values (gen_random_uuid(), %s, pg_backend_pid(), %s, %s)
on conflict (is_only) do update set token = excluded.token, lock_pid = excluded.lock_pid,
    work_pid = excluded.work_pid, process_id = excluded.process_id, host = excluded.host, taken_at = now()
returning token::text
"""
# Who waits for the lock has no such session yet; another's session has no part here, whatever it is named.
_AT_WORK = """
select datname, application_name, extract(epoch from now() - backend_start)::bigint from pg_stat_activity
where starts_with(application_name, %s) and usename in ('omni_loader', session_user) order by backend_start
"""


class IngestLock:
    """Held from `acquire` to `close`. `backend_pid`: of the session that holds it; `token`: what this writer is known
    by."""

    def __init__(self, session: Any, work: Any, token: str) -> None:
        self._session = session
        self._work = work
        self.token = token
        self.backend_pid: int = session.get_backend_pid()
        self.host = socket.gethostname()
        self.process_id = os.getpid()

    @classmethod
    def acquire(cls, warehouse: Warehouse, *, wait_seconds: float = 0.0) -> IngestLock:
        """Take the lock, or raise RefusedError naming its holder after `wait_seconds`; nothing is written then.

        Sessions that a writer before this one has left behind are ended.
        """
        session = warehouse.connect(application_name=_session_name(_LOCK_SESSION))
        work = None
        try:
            _take(session, wait_seconds)
            work = warehouse.connect(application_name=_session_name(_WORK_SESSION))
            return cls(session, work, _take_over(work, session.get_backend_pid()))
        except BaseException:
            session.close()
            if work is not None:
                work.close()
            raise

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor in one transaction of the writer's working session, committed at the end.

        Raises InfrastructureError when the lock is lost: its session is gone, or another writer has taken it over. What
        was written in the transaction is rolled back then, and whatever the attempt loaded stays invisible.
        """
        try:
            with self._work, self._work.cursor() as cursor:
                cursor.execute("select ops.is_writer(%s)", (self.token,))
                if not cursor.fetchone()[0]:
                    raise self._lost(f"the session that held the ingest lock (backend {self.backend_pid}) is gone")
                yield cursor
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            reason = str(error).strip() or type(error).__name__
            if not self._work.closed:
                raise InfrastructureError(
                    f"the database stopped a statement: {reason}. It was rolled back; loads of this "
                    "attempt that are not completed stay invisible and the next command removes them.",
                    next_command="make status",
                ) from error
            raise self._lost(f"the session that records under the ingest lock is gone: {reason}") from error

    def _lost(self, what: str) -> InfrastructureError:
        return InfrastructureError(
            f"{what}. Nothing further was recorded; loads that are not completed stay invisible and the next command"
            " removes them.",
            next_command="make diagnose",
        )

    def close(self) -> None:
        """Give the lock back, and end both sessions. The lock goes first, once nothing is at work: a server takes its
        time to end a session with temporary tables.

        Whatever state the sessions are in, nothing is raised; at the latest their end frees the lock.
        """
        with suppress(psycopg2.Error):
            self._work.rollback()
        with suppress(psycopg2.Error):
            self._session.rollback()
        self._session.close()
        self._work.close()


def writers_at_work(administrator: Warehouse) -> list[str]:
    """The commands that write a database of the server now, as an operator would look for them; a superuser asks."""
    with closing(administrator.connect(application_name="omnisupport-down")) as session, session.cursor() as cursor:
        cursor.execute(_AT_WORK, (f"{_WORK_SESSION} ",))
        return [
            f"process {name.removeprefix(_WORK_SESSION).strip()}, database {database}, for {age} s"
            for database, name, age in cursor.fetchall()
        ]


def _session_name(kind: str) -> str:
    return f"{kind} {os.getpid()}@{socket.gethostname()}"[:_NAME_BYTES]


def _take(session: Any, wait_seconds: float) -> None:
    """Lock the relation in a transaction that stays open."""
    deadline = time.monotonic() + wait_seconds
    while True:
        with session.cursor() as cursor:
            try:
                cursor.execute("lock table ops.ingest_lock in exclusive mode nowait")
                return
            except errors.LockNotAvailable:
                session.rollback()
            cursor.execute(_HOLDER)
            holder = cursor.fetchone()
            session.rollback()
        if time.monotonic() >= deadline:
            raise RefusedError(_refusal(holder), next_command="make status")
        time.sleep(min(0.2, max(0.0, deadline - time.monotonic())))


def _take_over(work: Any, lock_pid: int) -> str:
    """End what the writer before has left at work, then become the writer; returns the new token.

    Waits for transactions that were told before that theirs is the writer. Raises RefusedError when one of them does
    not end.
    """
    with work, work.cursor() as cursor:
        cursor.execute("set local role none")
        cursor.execute(_END_SESSIONS, (f"{_WORK_SESSION} ", LOAD_SESSIONS))
    try:
        with work, work.cursor() as cursor:
            cursor.execute("select set_config('lock_timeout', %s, true)", (f"{_SECONDS_TO_END}s",))
            # Conflicts with what ops.is_writer takes, and with no reading.
            cursor.execute("lock table ops.writer in exclusive mode")
            cursor.execute(_TAKE_OVER, (lock_pid, os.getpid(), socket.gethostname()))
            (token,) = cursor.fetchone()
            cursor.execute("select ops.is_writer(%s)", (token,))
            if not cursor.fetchone()[0]:
                raise InfrastructureError(
                    f"the session that took the ingest lock (backend {lock_pid}) ended at once; nothing was started",
                    next_command="make diagnose",
                )
    except errors.LockNotAvailable as error:
        raise RefusedError(
            f"a session of the writer before has not ended for {_SECONDS_TO_END} s, and may still record; nothing was"
            " started",
            next_command="make psql ARGS=\"-c 'select pid, application_name, state from pg_stat_activity'\"",
        ) from error
    return str(token)


def _refusal(holder: tuple[Any, ...] | None) -> str:
    if holder is None:
        return "another command held the ingest lock a moment ago; nothing was started"
    pid, run_id, attempt, host, process_id, age, user, name = holder
    where = f"database session {pid}"
    if host is None:
        who = f"one that has just begun, or a session by hand, of user {user}, named {name!r}"
    else:
        who = f"process {process_id} on {host}, a command without a run (yet)"
        where += f", {age} s old"
    if run_id is not None:
        who = f"run {run_id} attempt {attempt} on {host}, process {process_id}"
    return f"another command writes this warehouse: {who} ({where}); nothing was started"
