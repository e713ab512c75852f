"""The loader's own tables: infra/postgres/*.sql, applied in name order in one transaction."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import errors

from loader import __version__
from loader.errors import InfrastructureError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

# Advisory locks of this project: (1869442665, 1) ingest, (…, 2) the Silver build, (…, 3) these files.
LOCK_CLASS = 1869442665
LOCK_OBJECT = 3


def schema_files(folder: Path) -> list[Path]:
    """The SQL files in the order of their names.

    Raises InfrastructureError when the folder holds none: an empty list would pass as "up to date".
    """
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise InfrastructureError(
            f"{folder}: got no SQL file, expected the warehouse's tables; no table was created",
            next_command="git status infra/postgres",
        )
    return files


def content_sha256(files: list[Path]) -> str:
    """One hash over names and contents, so that a renamed, added or edited file is a new version."""
    digest = hashlib.sha256()
    for file in files:
        body = file.read_bytes()
        digest.update(f"{file.name}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()


def ensure_schema(connection: Connection, folder: Path) -> bool:
    """Bring the database to the version of the files in `folder`; true when something was applied.

    One short query when the version is current. Idempotent, and safe when several processes start at
    once: they queue on an advisory lock. Leaves the connection outside a transaction. Raises
    InfrastructureError, after a rollback of all files: the database is as it was.
    """
    files = schema_files(folder)
    expected = content_sha256(files)
    if recorded_sha256(connection) == expected:
        return False
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s, %s)", (LOCK_CLASS, LOCK_OBJECT))
            for file in files:
                cursor.execute(file.read_text(encoding="utf-8"))
            cursor.execute(
                """
                insert into ops.schema_version (content_sha256, loader_version) values (%s, %s)
                on conflict (is_current) do update set
                    content_sha256 = excluded.content_sha256,
                    loader_version = excluded.loader_version,
                    applied_at = excluded.applied_at
                """,
                (expected, __version__),
            )
    except errors.InsufficientPrivilege as error:
        raise _not_applied(connection, error, "the role may create schemas and tables there") from error
    except psycopg2.Error as error:
        raise _not_applied(connection, error, "the files of infra/postgres to apply") from error
    return True


def recorded_sha256(connection: Connection) -> str | None:
    """The version of the files that the database holds; None before the first."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('ops.schema_version') is not null")
        if not cursor.fetchone()[0]:
            return None
        cursor.execute("select content_sha256 from ops.schema_version")
        row = cursor.fetchone()
    return str(row[0]) if row else None


def _not_applied(connection: Connection, error: psycopg2.Error, expected: str) -> InfrastructureError:
    parameters = connection.get_dsn_parameters()
    database, user = parameters["dbname"], parameters["user"]
    return InfrastructureError(
        f"database {database}: got {str(error).splitlines()[0]!r}, expected {expected}; "
        "no table was created or changed",
        next_command=f"psql -d {database} -c 'grant create on database {database} to {user}'"
        if isinstance(error, errors.InsufficientPrivilege)
        else "git status infra/postgres   # edited files?",
    )
