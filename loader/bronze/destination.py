"""dlt's PostgreSQL destination, whose sessions are kept for one load.

dlt opens a session for each job and each look at its own tables, 14 for a load of three tables, and the server starts a
process for each. A session that a job ended soundly is reset, and given to the next one for the same dataset.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import psycopg2
from dlt.destinations.impl.postgres.factory import postgres
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.impl.postgres.sql_client import Psycopg2SqlClient
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


class KeptSessions:
    """Sessions that nobody uses now, by the dataset whose names they find. Any thread may take and give."""

    def __init__(self) -> None:
        self._free: defaultdict[str, list[Connection]] = defaultdict(list)

    def take(self, dataset: str) -> Connection | None:
        try:
            return self._free[dataset].pop()
        except IndexError:
            return None

    def give(self, dataset: str, session: Connection) -> None:
        """Keep `session`, or close it where its job left a transaction open or the server has ended it."""
        if session.closed or session.info.transaction_status != TRANSACTION_STATUS_IDLE:
            session.close()
        else:
            self._free[dataset].append(session)

    def close(self) -> None:
        for sessions in self._free.values():
            while sessions:
                sessions.pop().close()


def keeping(sessions: KeptSessions, **terms: Any) -> postgres:
    """dlt.destinations.postgres(**terms), whose jobs take their sessions from `sessions` and give them back there."""

    class Client(PostgresClient):
        def __init__(self, schema: Any, config: Any, capabilities: Any) -> None:
            super().__init__(schema, config, capabilities)
            names = self.create_dataset_names(schema, config)
            self.sql_client = _Kept(sessions, *names, config.credentials, capabilities)

    class Destination(postgres):
        @property
        def client_class(self) -> type[PostgresClient]:
            return Client

    return Destination(**terms)


class _Kept(Psycopg2SqlClient):
    def __init__(self, sessions: KeptSessions, *terms: Any) -> None:
        super().__init__(*terms)
        self._sessions = sessions
        self._dataset = ""

    def open_connection(self) -> Connection:
        self._dataset = self.fully_qualified_dataset_name()
        self._conn = self._sessions.take(self._dataset)
        try:
            if self._conn is not None:
                self._reset_connection()
                return self._conn
        except psycopg2.Error:
            # The server has ended it meanwhile.
            self._conn.close()
        return super().open_connection()

    def close_connection(self) -> None:
        if self._conn is not None:
            self._sessions.give(self._dataset, self._conn)
            self._conn = None
