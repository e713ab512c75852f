"""The warehouse's roles and the loader's own tables: infra/postgres/*.sql, applied when they are other than recorded.

roles.sql is the administrator's; the numbered files are omni_loader's, in the order of their names, in one transaction.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import errors, sql

from loader import __version__
from loader.errors import InfrastructureError, RefusedError
from loader.line_ends import read_committed
from loader.warehouse.connection import Role

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ROLES_FILE = "roles.sql"
# Where several processes set up at once, one of two fails, and finds its work done when it tries again. Roles are the
# server's: no lock of one database guards them; and before there are tables, there is no lock that is only ours.
_ATTEMPTS = 20
_LOST_A_RACE = (
    errors.UniqueViolation,
    errors.DuplicateObject,
    errors.DuplicateTable,
    errors.DeadlockDetected,
    errors.InternalError_,
)
# Raised by roles.sql: what it found needs a person.
_STRANGE = "OM001"
# What roles.sql sees to in a database, in words of what is wrong; no row when nothing is.
_LACKING = """
select 'omni_loader may not create schemas'
where not has_database_privilege('omni_loader', current_database(), 'create')
union all
select 'omni_transform may create schemas'
where has_database_privilege('omni_transform', current_database(), 'create')
union all
select case when nspname is null then 'schema ' || wanted || ' is missing'
    else 'schema ' || wanted || ' belongs to ' || pg_get_userbyid(nspowner) end
from (values
    ('bronze', 'omni_loader', false), ('ops', 'omni_loader', false), ('release', 'omni_loader', false),
    ('staging', 'omni_transform', true), ('silver', 'omni_transform', true),
    ('reconcile', 'omni_transform', true), ('serving', 'omni_transform', true)
) as layer (wanted, owner, is_of_roles)
left join pg_namespace on nspname = wanted
where case when nspname is null then is_of_roles else pg_get_userbyid(nspowner) <> owner end
"""


def schema_files(folder: Path) -> list[Path]:
    """The SQL files in the order of their names, roles.sql last.

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
        body = read_committed(file)
        digest.update(f"{file.name}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()


def ensure_roles(administrator: Connection, folder: Path, verifiers: Mapping[Role, str]) -> None:
    """Apply roles.sql: roles, what they may do to this database, owners of what an earlier version made. `verifiers`:
    of passwords that roles get.

    A login that may not create roles changes nothing, and is enough where they are as they should be. Raises
    InfrastructureError: an administrator has to do it; RefusedError, with nothing changed, where things of others stand
    in the schemas.
    """
    with administrator, administrator.cursor() as cursor:
        cursor.execute(
            "select rolsuper or rolcreaterole,"
            # Either the login acts as the two, or it is one of them and the other logs in by itself.
            " (select count(*) filter (where pg_has_role(oid, 'member') or current_user = any(%(roles)s)) >= 2"
            "  from pg_roles where rolname = any(%(roles)s))"
            " from pg_roles where rolname = current_user",
            {"roles": [role.value for role in (Role.LOADER, Role.TRANSFORM)]},
        )
        is_able, has_roles = cursor.fetchone()
    for left in reversed(range(_ATTEMPTS if is_able else 0)):
        try:
            with administrator, administrator.cursor() as cursor:
                cursor.execute((folder / ROLES_FILE).read_text(encoding="utf-8"))
                for role, verifier in verifiers.items():
                    statement = sql.SQL("alter role {} password {}")
                    cursor.execute(statement.format(sql.Identifier(role.value), sql.Literal(verifier)))
                return
        except _LOST_A_RACE:
            if not left:
                raise
            time.sleep(random.uniform(0.02, 0.2))
        except errors.InsufficientPrivilege:
            break
        except psycopg2.Error as error:
            if error.pgcode != _STRANGE:
                raise
            raise _strange(administrator, error) from error
    parameters = administrator.get_dsn_parameters()
    database, user = parameters["dbname"], parameters["user"]
    if has_roles:
        with administrator, administrator.cursor() as cursor:
            lacking = _lacking(cursor)
        if lacking:
            raise InfrastructureError(
                f"database {database}: {'; '.join(lacking)}, expected what infra/postgres/roles.sql makes of it, and"
                f" user {user} may not run that; nothing was created or changed",
                next_command=f"psql -d {database} -f infra/postgres/roles.sql   # as an administrator",
            )
    else:
        raise InfrastructureError(
            f"database {database}: user {user} is not in the roles omni_loader and omni_transform and can't create "
            "them, expected one or the other; nothing was created or changed",
            next_command=_set_up_command(database, user),
        )


def ensure_schema(connection: Connection, folder: Path) -> bool:
    """Bring the loader's tables to the version of the files in `folder`; true when something was applied.

    `connection` is omni_loader's, who then owns them. One short query when the version is current. Idempotent, and safe
    when several processes start at once: they queue on ops.catalog_lock, once it is there. Leaves the connection
    outside a transaction. Raises InfrastructureError, after a rollback of all files: the database is as it was.
    """
    files = schema_files(folder)
    version = content_sha256(files)
    for left in reversed(range(_ATTEMPTS)):
        if recorded_sha256(connection) == version:
            return False
        try:
            _apply(connection, files, version)
            return True
        except psycopg2.Error as error:
            if left and isinstance(error, _LOST_A_RACE):
                time.sleep(random.uniform(0.02, 0.2))
                continue
            raise _not_applied(connection, error) from error
    return False


def _apply(connection: Connection, files: list[Path], version: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('ops.catalog_lock') is not null")
        if cursor.fetchone()[0]:
            cursor.execute("lock table ops.catalog_lock in exclusive mode")
        for file in files:
            if file.name == ROLES_FILE:
                continue
            cursor.execute(file.read_text(encoding="utf-8"))
        cursor.execute(
            """
            insert into ops.schema_version (content_sha256, loader_version) values (%s, %s)
            on conflict (is_current) do update set
                content_sha256 = excluded.content_sha256,
                loader_version = excluded.loader_version,
                applied_at = excluded.applied_at
            """,
            (version, __version__),
        )


def is_current(connection: Connection, folder: Path) -> bool:
    """Whether the database holds the files of `folder`, as its own record says, and lets its roles work: a copy or a
    restored dump has the tables, and none of the rights on the database."""
    if recorded_sha256(connection) != content_sha256(schema_files(folder)):
        return False
    with connection, connection.cursor() as cursor:
        return not _lacking(cursor)


def _lacking(cursor: Any) -> list[str]:
    """What an administrator has to do to the database, the roles being there."""
    cursor.execute(_LACKING)
    return [str(words) for (words,) in cursor.fetchall()]


def recorded_sha256(connection: Connection) -> str | None:
    """The version of the files that the database holds; None before the first."""
    with connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('ops.schema_version') is not null")
        if not cursor.fetchone()[0]:
            return None
        cursor.execute("select content_sha256 from ops.schema_version")
        row = cursor.fetchone()
    return str(row[0]) if row else None


def _set_up_command(database: str, user: str) -> str:
    return (
        f"psql -d {database} -f infra/postgres/roles.sql -c 'grant omni_loader, omni_transform to \"{user}\"'"
        "   # as an administrator"
    )


def _strange(connection: Connection, error: psycopg2.Error) -> RefusedError:
    database = connection.get_dsn_parameters()["dbname"]
    return RefusedError(
        f"database {database}: {error.diag.message_primary}, expected none. {error.diag.message_hint}"
        " Nothing was created or changed",
        next_command=f"psql -d {database} -c '\\dn+' -c '\\df+ ops.*'   # as an administrator",
    )


def _not_applied(connection: Connection, error: psycopg2.Error) -> InfrastructureError:
    parameters = connection.get_dsn_parameters()
    database, user = parameters["dbname"], parameters["user"]
    expected, next_command = "the files of infra/postgres to apply", "git status infra/postgres   # edited files?"
    if isinstance(error, errors.InsufficientPrivilege):
        expected, next_command = "the role may create schemas and tables there", _set_up_command(database, user)
    return InfrastructureError(
        f"database {database}: got {str(error).splitlines()[0]!r}, expected {expected}; no table was created or"
        " changed",
        next_command=next_command,
    )
