"""dbt's sessions in the database, kept from node to node.

dbt opens a session for each node and closes it: a hundred times a build the server starts a process and reads its
catalogue, which takes longer than most of our statements. Here each of dbt's threads keeps its session, and leaves it
to the next node as a new one would be.
"""

from __future__ import annotations

import time
from collections.abc import Hashable
from contextlib import suppress
from typing import Any, ClassVar

import psycopg2

# A firewall may forget a session that says nothing: one that has waited longer is not trusted.
_SECONDS_OF_SILENCE = 10.0
# Of what dbt opens sessions for besides, each thing is done once.
_NODES = ("model.", "test.", "unit_test.")


def keep_sessions() -> None:
    """From now on, in this process, dbt keeps the sessions of its nodes; each command closes them at its end."""
    from dbt.adapters.postgres.connections import PostgresConnectionManager
    from dbt.adapters.postgres.impl import PostgresAdapter

    class KeptSessions(PostgresConnectionManager):
        # By thread, while no node has its session; seconds of time.monotonic().
        left_at: ClassVar[dict[Hashable, float]] = {}

        def release(self) -> None:
            session = self.get_if_exists()
            if session is not None and session.state == "open" and str(session.name).startswith(_NODES):
                # One that is lost is closed as dbt would close it.
                with suppress(psycopg2.Error):
                    leave_as_new(session.handle)
                    session.transaction_open = False
                    self.left_at[self.get_thread_identifier()] = time.monotonic()
                    return
            super().release()

        def set_connection_name(self, name: str | None = None) -> Any:
            left_at = self.left_at.pop(self.get_thread_identifier(), None)
            session = self.get_if_exists()
            if session and left_at is not None and time.monotonic() - left_at > _SECONDS_OF_SILENCE:
                self.close(session)
            return super().set_connection_name(name)

    PostgresAdapter.ConnectionManager = KeptSessions


def leave_as_new(session: Any) -> None:
    """Roll back what is open, and undo what a session keeps beyond a transaction: settings, temporary tables. The role
    it acts as stays. Raises psycopg2.Error when it is lost."""
    session.rollback()
    with session.cursor() as cursor:
        cursor.execute("reset all; discard temp")
    session.commit()
