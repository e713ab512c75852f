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
from loader.warehouse import Blocker, blockers

if TYPE_CHECKING:
    from loader.warehouse import Warehouse

_SECONDS_BETWEEN_LOOKS = 2.0
_SECONDS_BETWEEN_LINES = 10.0
# A wait that is worth a word.
_SECONDS_OF_WAITING = 3.0


class DbtWatch:
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
        self._has_begun = False

    def begin(self, node: str) -> None:
        self._at_work[node] = time.monotonic()
        self._has_begun = True

    def end(self, node: str) -> None:
        self._at_work.pop(node, None)
        self._spoke = time.monotonic()

    def look(self) -> None:
        now = time.monotonic()
        if now - min(self._at_work.values(), default=self._began) < _SECONDS_OF_WAITING:
            return
        for blocker in self._blockers():
            # Once for each session, and again as often as for a node.
            if now - self._waits.get(blocker.pid, -_SECONDS_BETWEEN_LINES) >= _SECONDS_BETWEEN_LINES:
                self._waits[blocker.pid] = self._spoke = now
                self._say(f"silver: {blocker.sentence}")
        if now - self._spoke < _SECONDS_BETWEEN_LINES:
            return
        if self._at_work:
            nodes = (f"{name} ({now - began:.0f} s)" for name, began in sorted(self._at_work.items()))
            self._say(f"silver: at work on {', '.join(nodes)}")
        elif not self._has_begun:
            self._say(f"silver: dbt starts and reads its project ({now - self._began:.0f} s)")
        self._spoke = now

    def _blockers(self) -> list[Blocker]:
        """Nothing where the server does not answer: dbt will say so."""
        try:
            # As the login: it sees most of other sessions.
            with (
                closing(self._warehouse.as_administrator().connect(autocommit=True)) as connection,
                connection.cursor() as cursor,
            ):
                return blockers(cursor, application_name=self._session_name)
        except (psycopg2.Error, InfrastructureError):
            return []
