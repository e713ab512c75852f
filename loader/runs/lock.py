"""The ingest lock: one writer per warehouse, fenced by the life of its own database session.

A PostgreSQL advisory lock belongs to a session, so a dead process frees it without a timeout. Every
transaction that records progress runs on that very session: if the session is gone, nothing can be
recorded any more. Bronze's insert trigger asks the same question on the server (02_bronze.sql).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg2

from loader.errors import InfrastructureError, RefusedError

if TYPE_CHECKING:
    from loader.warehouse import Warehouse

LOCK_CLASS = 1869442665
LOCK_WRITER = 1
_APPLICATION = "omnisupport-lock"
# PostgreSQL cuts longer names.
_NAME_BYTES = 63

_HOLDER = """
select held.pid, run.run_id::text, run.attempt, run.host, run.process_id
from pg_locks as held
left join ops.ingest_run as run on run.lock_pid = held.pid and run.status = 'running'
where held.locktype = 'advisory' and held.classid = %s and held.objid = %s and held.objsubid = 2
    and held.granted and held.database = (select oid from pg_database where datname = current_database())
"""
_SESSION = """
select extract(epoch from now() - backend_start)::bigint, application_name from pg_stat_activity where pid = %s
"""


class IngestLock:
    """Held from `acquire` to `close`. `session` is the connection that owns it."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.backend_pid: int = session.get_backend_pid()
        self.host = socket.gethostname()
        self.process_id = os.getpid()

    @classmethod
    def acquire(cls, warehouse: Warehouse, *, wait_seconds: float = 0.0) -> IngestLock:
        """Take the lock, or raise RefusedError naming its holder after `wait_seconds`; nothing is written."""
        name = f"{_APPLICATION} {os.getpid()}@{socket.gethostname()}"
        session = warehouse.connect(application_name=name[:_NAME_BYTES])
        deadline = time.monotonic() + wait_seconds
        while True:
            with session, session.cursor() as cursor:
                cursor.execute("select pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, LOCK_WRITER))
                if cursor.fetchone()[0]:
                    return cls(session)
                holder = _holder(cursor)
            if time.monotonic() >= deadline:
                session.close()
                raise RefusedError(_refusal(holder), next_command="make status")
            time.sleep(min(0.2, max(0.0, deadline - time.monotonic())))

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor in one transaction of the lock's own session, committed at the end.

        Raises InfrastructureError when the session is dead; the transaction is then rolled back by the
        server, and whatever the attempt loaded stays invisible.
        """
        try:
            with self._session, self._session.cursor() as cursor:
                yield cursor
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if not self._session.closed:
                raise InfrastructureError(
                    f"the database stopped a statement: {str(error).strip()}. It was rolled back; loads of this "
                    "attempt that are not completed stay invisible and the next command removes them.",
                    next_command="make status",
                ) from error
            raise InfrastructureError(
                f"the session that held the ingest lock (backend {self.backend_pid}) is gone: "
                f"{str(error).strip() or type(error).__name__}. Nothing further was recorded; loads that are not "
                "completed stay invisible and the next command removes them.",
                next_command="make diagnose",
            ) from error

    def close(self) -> None:
        """End the session. The lock is given back first: a server drops a session's temporary tables before its locks.

        Whatever state the session is in, nothing is raised; at the latest its end frees the lock.
        """
        with suppress(psycopg2.Error):
            self._session.rollback()
            with self._session, self._session.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock(%s, %s)", (LOCK_CLASS, LOCK_WRITER))
        self._session.close()


def _holder(cursor: Any) -> tuple[Any, ...] | None:
    """Who holds the lock; None when nobody does any more."""
    cursor.execute(_HOLDER, (LOCK_CLASS, LOCK_WRITER))
    held = cursor.fetchone()
    if held is None:
        return None
    # Names of sessions are shown to who logged in as theirs did.
    cursor.execute("set local role none")
    cursor.execute(_SESSION, held[:1])
    session = cursor.fetchone()
    return None if session is None else (*held, *session)


def _refusal(holder: tuple[Any, ...] | None) -> str:
    if holder is None:
        return "another command held the ingest lock a moment ago; nothing was started"
    pid, run_id, attempt, host, process_id, age, name = holder
    who = f"run {run_id} attempt {attempt} on {host}, process {process_id}"
    if run_id is None:
        who = f"a command without a run (yet), process {name.removeprefix(_APPLICATION).strip() or 'unknown'}"
    return f"another command writes this warehouse: {who} (database session {pid}, {age} s old); nothing was started"
