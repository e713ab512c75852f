"""The warehouse's roles and the loader's own tables: infra/postgres/*.sql, applied when they are other than recorded.

roles.sql is the administrator's; migrations and definition files are omni_loader's, in one transaction (versions.py
says which).
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import errors

from loader import __version__
from loader.errors import InfrastructureError, RefusedError
from loader.warehouse import versions
from loader.warehouse.roles import LOST_A_RACE, SET_UP_ATTEMPTS, lacking, set_up_command
from loader.warehouse.versions import Definition, RecordedVersion, as_recorded, due_migrations, read_definition

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


# What loaders from before ops.ingest_lock took while they wrote: an advisory lock.
OLD_WRITER = (1869442665, 1)
LOCK_TIMEOUT_SECONDS = 60
# Raised by 04_release_rows.sql: a declaration that rows which were released contradict.
_CONTRADICTED = "OM002"


def ensure_schema(connection: Connection, folder: Path, *, is_again: bool = False) -> bool:
    """Bring the loader's tables to the version of `folder`; true when something was applied. `is_again`: also where the
    database says that it holds it.

    `connection` is omni_loader's, who then owns them. One short query when the version is current. Migrations and
    definition files are one transaction, which an end of this process rolls back; processes that start at once queue
    on ops.catalog_lock, once it is there, and the later ones find it done. Leaves the connection outside a transaction.
    Raises RefusedError (an unknown or newer database, or one that an older loader is writing) or InfrastructureError:
    the database is as it was.
    """
    definition = read_definition(folder)
    for left in reversed(range(SET_UP_ATTEMPTS)):
        if not is_again and is_applied(connection, definition):
            return False
        try:
            return _apply(connection, definition, is_again)
        except errors.LockNotAvailable as error:
            raise in_use(connection) from error
        except psycopg2.Error as error:
            if left and isinstance(error, LOST_A_RACE):
                time.sleep(random.uniform(0.02, 0.2))
                continue
            if error.pgcode == _CONTRADICTED:
                raise RefusedError(
                    f"database {connection.info.dbname}: {error.diag.message_primary}; nothing was changed",
                    next_command="git diff contracts/kinds   # a field that was released keeps its column and its type",
                ) from error
            raise _not_applied(connection, error) from error
    return False


def _apply(connection: Connection, definition: Definition, is_again: bool) -> bool:
    """Migrations and definition files in one transaction; false when another process has done it meanwhile."""
    with connection, connection.cursor() as cursor:
        cursor.execute("set local lock_timeout = %s", (f"{LOCK_TIMEOUT_SECONDS * 1000:.0f}ms",))
        cursor.execute("select to_regclass('ops.catalog_lock') is not null")
        if cursor.fetchone()[0]:
            cursor.execute("lock table ops.catalog_lock in exclusive mode")
        recorded = _recorded(cursor)
        if not is_again and versions.is_current(recorded, definition):
            return False
        migrations = due_migrations(recorded, definition, cursor.connection.info.dbname)
        if migrations:
            require_no_writer(connection)
        for file in (*migrations, *definition.tables):
            cursor.execute(file.read_text(encoding="utf-8"))
        cursor.execute(
            """
            insert into ops.schema_version (version, definition_sha256, loader_version) values (%s, %s, %s)
            on conflict (is_current) do update set
                version = excluded.version,
                definition_sha256 = excluded.definition_sha256,
                loader_version = excluded.loader_version,
                applied_at = excluded.applied_at
            """,
            (definition.version, definition.sha256, __version__),
        )
    return True


def is_current(connection: Connection, folder: Path) -> bool:
    """Whether the database holds the version of `folder`, as its own record says, and lets its roles work: a copy or a
    restored dump has the tables, and none of the rights on the database.

    Raises RefusedError for a database that cannot be brought to it.
    """
    if not is_applied(connection, read_definition(folder)):
        return False
    with connection, connection.cursor() as cursor:
        return not lacking(cursor)


def is_applied(connection: Connection, definition: Definition) -> bool:
    """Whether the database says that it holds this definition. Raises RefusedError where nothing leads there."""
    recorded = recorded_version(connection)
    due_migrations(recorded, definition, connection.info.dbname)
    return versions.is_current(recorded, definition)


def recorded_version(connection: Connection) -> RecordedVersion | None:
    """What the database says that it holds; None before the first time."""
    with connection, connection.cursor() as cursor:
        return _recorded(cursor)


def _recorded(cursor: Any) -> RecordedVersion | None:
    cursor.execute("select to_regclass('ops.schema_version') is not null")
    if not cursor.fetchone()[0]:
        return None
    cursor.execute("select to_jsonb(found) from ops.schema_version as found")
    row = cursor.fetchone()
    return None if row is None else as_recorded(row[0])


def require_no_writer(connection: Connection) -> None:
    """Tables are not changed under a writer, a loader of an older version included.

    In a transaction of `connection`, ops.ingest_lock is held to its end, where it is there. Raises RefusedError.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select pid from pg_locks where locktype = 'advisory' and classid = %s and objid = %s and granted"
            " and database = (select oid from pg_database where datname = current_database())",
            OLD_WRITER,
        )
        pids = [pid for (pid,) in cursor.fetchall()]
        cursor.execute("select to_regclass('ops.ingest_lock') is not null")
        if cursor.fetchone()[0] and not pids:
            try:
                cursor.execute("lock table ops.ingest_lock in exclusive mode nowait")
            except errors.LockNotAvailable:
                connection.rollback()
                cursor.execute("select pid from ops.lock_holder")
                pids = [pid for (pid,) in cursor.fetchall()] or ["that has just ended"]
    if not pids:
        return
    raise RefusedError(
        f"database {connection.info.dbname}: another command is writing it (database session"
        f" {', '.join(map(str, pids))}), and its tables are to be brought to a new version; nothing was changed",
        next_command="make up   # when the other command has ended",
    )


_HOLDERS = """
select distinct session.pid, session.usename
from pg_locks as held
inner join pg_class as relation on relation.oid = held.relation
inner join pg_stat_activity as session on session.pid = held.pid
where held.granted and held.database = (select oid from pg_database where datname = current_database())
    and held.pid <> pg_backend_pid()
    and relation.relnamespace::regnamespace::text in ('ops', 'bronze', 'release', 'silver', 'reconcile')
order by session.pid
"""


def in_use(connection: Connection) -> InfrastructureError:
    """What a lock timeout means while tables are changed, with the sessions that hold any of them now."""
    with connection, connection.cursor() as cursor:
        cursor.execute(_HOLDERS)
        sessions = ", ".join(f"{pid} ({user})" for pid, user in cursor.fetchall()) or "another session"
    return InfrastructureError(
        f"database {connection.info.dbname}: database session {sessions} has kept a table for {LOCK_TIMEOUT_SECONDS} s"
        " that an update needs for a moment; no table was created or changed",
        next_command="make up   # when that session has ended its transaction",
    )


def _not_applied(connection: Connection, error: psycopg2.Error) -> InfrastructureError:
    parameters = connection.get_dsn_parameters()
    database, user = parameters["dbname"], parameters["user"]
    expected, next_command = "the files of infra/postgres to apply", "git status infra/postgres   # edited files?"
    if isinstance(error, errors.InsufficientPrivilege):
        expected, next_command = "the role may create schemas and tables there", set_up_command(database, user)
    return InfrastructureError(
        f"database {database}: got {str(error).splitlines()[0]!r}, expected {expected}; no table was created or"
        " changed",
        next_command=next_command,
    )
