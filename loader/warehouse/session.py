"""A session of the loader, what it is set to, and the one beside it in which what dbt built is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from psycopg2 import extensions, sql

if TYPE_CHECKING:
    from loader.warehouse.connection import Warehouse


_ONE_SNAPSHOT = (extensions.ISOLATION_LEVEL_REPEATABLE_READ, extensions.ISOLATION_LEVEL_SERIALIZABLE)


# The sessions of this process; one thread adds while another looks.
_known: WeakSet[Session] = WeakSet()
_knowing = Lock()
# A server may end what is idle or takes long, as its configuration, a role or a database says; what the loader does
# takes as long as it takes.
_BOUNDS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "idle_session_timeout")
BOUND_SINCE_17 = "transaction_timeout"
# What a role, database or server may set of a session, and what would be another statement or another digest then.
MEANING = {
    "default_transaction_read_only": "off",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
}
# For every session of every role. What is named without a schema is PostgreSQL's own, or a temporary table that the
# session itself has made: in a schema that somebody else can name, nothing is ever looked for (docs/decisions/0013).
SEARCH_PATH = "pg_catalog"


def open_sessions() -> list[Session]:
    """Those of this process, also of other threads than the one that asks."""
    with _knowing:
        return [session for session in _known if not session.closed]


class Session(extensions.connection):  # type: ignore[misc]
    """A psycopg2 connection that knows its warehouse. `beside` lives as long as it does."""

    warehouse: Warehouse

    def belong_to(self, warehouse: Warehouse) -> None:
        """Once, as soon as it is open."""
        self.warehouse = warehouse
        with _knowing:
            _known.add(self)

    _beside: Session | None = None
    _is_sharing: bool = False

    def beside(self) -> Session:
        """The read-only session of omni_transform. It sees what this one sees, but for what this transaction has not
        committed: in a transaction of one snapshot (repeatable read) that snapshot, else what is committed when a
        statement begins; then it keeps no lock from one statement to the next.

        Raises InfrastructureError where omni_transform is not let in.
        """
        if self._beside is None or self._beside.closed:
            self._beside = self.warehouse.connect_beside()
            self._is_sharing = False
        if self.isolation_level in _ONE_SNAPSHOT and not self._is_sharing:
            with self.cursor() as cursor:
                cursor.execute("select pg_export_snapshot()")
                (snapshot,) = cursor.fetchone()
            self._begin(self._beside)
            self._beside.cursor().execute("set transaction snapshot %s", (snapshot,))
        return self._beside

    def freeze(self, table: str) -> Session:
        """Until this transaction ends, let `beside` see one state: that of now, or of when a build that holds `table`
        (schema.name) has let it go.

        A table that is made anew after a snapshot was taken is empty to it: the lock comes first.
        """
        beside = self.beside()
        if not self._is_sharing:
            self._begin(beside)
            beside.cursor().execute(
                sql.SQL("lock table {} in access share mode").format(sql.Identifier(*table.split(".")))
            )
        return beside

    def commit(self) -> None:
        super().commit()
        self._leave()

    def rollback(self) -> None:
        super().rollback()
        self._leave()

    def close(self) -> None:
        if self._beside is not None:
            self._beside.close()
        super().close()

    def _begin(self, beside: Session) -> None:
        """One transaction of one snapshot, whatever its statements come to, until this session's transaction ends."""
        self._is_sharing = True
        beside.set_session(isolation_level="REPEATABLE READ", autocommit=False)

    def _leave(self) -> None:
        """The next transaction has a snapshot of its own."""
        if self._beside is not None and self._is_sharing and not self._beside.closed:
            self._beside.rollback()
            # A single statement of repeatable read would take its snapshot before it waits for a table.
            self._beside.set_session(isolation_level="DEFAULT", autocommit=True)
        self._is_sharing = False


def fetch_rows(cursor: Any, query: str, parameters: Any) -> list[dict[str, Any]]:
    """Run a query and return its rows by column name, counts as whole numbers."""
    cursor.execute(query, parameters)
    names = [column.name for column in cursor.description]
    return [{name: _counted(name, value) for name, value in zip(names, row, strict=True)} for row in cursor.fetchall()]


def _counted(name: str, value: Any) -> Any:
    """PostgreSQL sums counts as numeric; a count is a whole number. Digests stay exact decimals."""
    return int(value) if isinstance(value, Decimal) and not name.endswith("_digest") else value


def json_value(value: Any) -> Any:
    """A database value as JSON keeps it: instants in ISO 8601 UTC, digests as text (they exceed 53 bits)."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def json_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with such values."""
    return {name: json_value(value) for name, value in row.items()}


def json_rows(cursor: Any, query: str, parameters: Any) -> list[dict[str, Any]]:
    """The rows of a query as fetch_rows has them, with such values."""
    return [json_row(row) for row in fetch_rows(cursor, query, parameters)]


def unbounded(server_version: int) -> dict[str, str]:
    """Session settings under which nothing is ended for the time that it takes. An unknown one is an error, so they are
    those that a server of this version (psycopg2's number) knows."""
    return dict.fromkeys(_BOUNDS if server_version < 170000 else (*_BOUNDS, BOUND_SINCE_17), "0")
