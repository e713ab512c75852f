"""The one door to what dbt built: staging, silver, reconcile, serving. Nothing of it is evaluated by the loader.

Whoever reads a table evaluates what its owner hung on it: policies, the functions of views and of indexes, casts of
types that are somebody's own. So omni_transform, who owns these schemas, reads them itself, in a read-only session, and
plain values come over (docs/decisions/0013). omni_loader has no right in these schemas: what goes by another way fails.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import TYPE_CHECKING, Any

from psycopg2 import errors, extensions

from loader.errors import CheckFailedError

if TYPE_CHECKING:
    from loader.warehouse.session import Session

# Types from this number on are somebody's own; how their values are read is up to their owner.
_FIRST_OID_OF_USERS = 16384


def built(cursor: Any) -> Any:
    """A cursor for queries of what dbt built, beside the transaction of `cursor` (Session.beside).

    Names are qualified; bronze, ops and release can be read there too, as they are committed, but for the key of
    erasures. Never for a write.
    """
    session: Session = cursor.connection
    return session.beside().cursor(cursor_factory=_PlainCursor)


class _PlainCursor(extensions.cursor):  # type: ignore[misc]
    """A cursor that takes values of PostgreSQL's own types only."""

    def execute(self, query: Any, parameters: Any = None) -> None:
        super().execute(query, parameters)
        for column in self.description or ():
            if column.type_code >= _FIRST_OID_OF_USERS:
                raise CheckFailedError(
                    f"column {column.name} of what dbt built: got a type that is not PostgreSQL's own, expected plain"
                    " values; nothing was decided by it",
                    next_command="make build SELECT=reconcile   # makes it anew",
                )


def freeze_built(cursor: Any, table: str) -> None:
    """Let every further query of what dbt built see one state, to the end of the transaction of `cursor`
    (Session.freeze)."""
    session: Session = cursor.connection
    session.freeze(table)


def are_built(cursor: Any, *names: str) -> bool:
    """Whether each of these tables or views (schema.name) is there."""
    with built(cursor) as there:
        there.execute("select bool_and(to_regclass(name) is not null) from unnest(%s::text[]) as name", (list(names),))
        return bool(there.fetchone()[0])


def copy_built(cursor: Any, query: str, parameters: Mapping[str, Any], into: str, columns: Sequence[str]) -> None:
    """Rows of a query of what dbt built into these columns of a table of the loader's, which says what their types are.

    Raises CheckFailedError for a value that does not fit its column; the transaction of `cursor` must not commit then.
    """
    with built(cursor) as there:
        text = there.mogrify(query, parameters).decode()
        reading, writing = os.pipe()
        sender = _Sender(there, f"copy ({text}) to stdout", writing)
        sender.start()
        try:
            with os.fdopen(reading, "rb") as rows:
                cursor.copy_expert(f"copy {into} ({', '.join(columns)}) from stdin", rows)
        except (errors.DataError, errors.IntegrityError) as error:
            raise CheckFailedError(
                f"a row of what dbt built: got {str(error).splitlines()[0]!r}, expected values of {into};"
                " nothing was released",
                next_command="make build   # makes it anew; then make diagnose",
            ) from error
        except BaseException:
            # Nobody reads on: the query need not end by itself.
            there.connection.cancel()
            raise
        finally:
            sender.join()
        if sender.error is not None:
            raise sender.error


class _Sender(Thread):
    """Sends what a query gives into a pipe, and closes it whatever happens; `error` says what did."""

    def __init__(self, cursor: Any, statement: str, descriptor: int) -> None:
        super().__init__(daemon=True)
        self._cursor, self._statement, self._descriptor = cursor, statement, descriptor
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with os.fdopen(self._descriptor, "wb") as rows:
                self._cursor.copy_expert(self._statement, rows)
        except BaseException as error:
            self.error = error
