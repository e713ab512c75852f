"""What dbt is at while it says nothing: the nodes at work, and the sessions that keep it waiting.

A build waits for others' transactions where it must replace what they have open (macros/materializations): who waits
has to know for whom.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2

from loader.errors import InfrastructureError

if TYPE_CHECKING:
    from loader.warehouse import Warehouse

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_BETWEEN_LINES = 10.0
# A wait that is worth a word.
_SECONDS_OF_WAITING = 3.0

# Who keeps the sessions named %s waiting, and from what. State and age of a session are shown to its own role and to
# superusers; others read null.
_BLOCKERS = """
select distinct blocker.pid, blocker.usename::text, blocker.application_name, blocker.state,
    to_char(blocker.xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"'),
    coalesce(
        (select relation.relnamespace::regnamespace || '.' || relation.relname from pg_catalog.pg_class as relation
         where relation.oid = wanted.relation),
        wanted.locktype || ' lock')
from pg_catalog.pg_stat_activity as waiting
inner join pg_catalog.pg_locks as wanted on wanted.pid = waiting.pid and not wanted.granted
cross join lateral unnest(pg_catalog.pg_blocking_pids(waiting.pid)) as blocking (pid)
inner join pg_catalog.pg_stat_activity as blocker on blocker.pid = blocking.pid
where waiting.datname = current_database() and waiting.application_name = %s
    and (blocker.application_name, blocker.usename)
        is distinct from (waiting.application_name, waiting.usename)
order by blocker.pid
"""


class Watch:
    """Told which nodes begin and end; `look`, called in every two seconds in which dbt is silent, says what is so."""

    seconds_of_silence = _SECONDS_BETWEEN_LOOKS

    def __init__(self, warehouse: Warehouse, session_name: str, say: Callable[[str], None]) -> None:
        self._warehouse = warehouse
        self._session_name = session_name
        self._say = say
        # When each node at work began, and when something was last said or ended; seconds of time.monotonic().
        self._at_work: dict[str, float] = {}
        self._began = self._spoke = time.monotonic()
        self._waits: dict[int, float] = {}

    def begin(self, node: str) -> None:
        self._at_work[node] = time.monotonic()

    def end(self, node: str) -> None:
        self._at_work.pop(node, None)
        self._spoke = time.monotonic()

    def look(self) -> None:
        now = time.monotonic()
        if now - min(self._at_work.values(), default=self._began) < _SECONDS_OF_WAITING:
            return
        for pid, line in self._blockers():
            # Once for each session, and again as often as for a node.
            if now - self._waits.get(pid, -_SECONDS_BETWEEN_LINES) >= _SECONDS_BETWEEN_LINES:
                self._waits[pid] = self._spoke = now
                self._say(line)
        if self._at_work and now - self._spoke >= _SECONDS_BETWEEN_LINES:
            self._spoke = now
            nodes = (f"{name} ({now - began:.0f} s)" for name, began in sorted(self._at_work.items()))
            self._say(f"dbt: at work on {', '.join(nodes)}")

    def _blockers(self) -> list[tuple[int, str]]:
        """Nothing where the server does not answer: dbt will say so."""
        try:
            # As the login: it sees most of other sessions.
            with (
                closing(self._warehouse.as_administrator().connect(autocommit=True)) as connection,
                connection.cursor() as cursor,
            ):
                cursor.execute(_BLOCKERS, (self._session_name,))
                return [(pid, _sentence(pid, *found)) for pid, *found in cursor.fetchall()]
        except (psycopg2.Error, InfrastructureError):
            return []


def _sentence(
    pid: int, user: str | None, application: str | None, state: str | None, since: str | None, subject: str
) -> str:
    who = ", ".join(word for word in (user, application or "no name", state) if word)
    when = f", its transaction open since {since}" if since else ""
    return f"dbt: waits for session {pid} ({who}{when}), which keeps {subject}"
