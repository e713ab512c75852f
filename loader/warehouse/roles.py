"""The warehouse's four roles: who they are, what infra/postgres/roles.sql makes of a database for them, and their
passwords as libpq finds them; the embedded server's are made once, in a file that only its owner can read."""

from __future__ import annotations

import os
import random
import re
import secrets
import shlex
import time
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import encrypt_password

from loader.errors import InfrastructureError, RefusedError
from loader.warehouse.versions import ROLES_FILE

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from loader.warehouse.connection import Warehouse

# Where several processes set up at once, one of two fails, and finds its work done when it tries again. Roles are the
# server's: no lock of one database guards them; and before there are tables, there is no lock that is only ours.
SET_UP_ATTEMPTS = 20
LOST_A_RACE = (
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
union all
select 'table ' || oid::regclass || ' belongs to ' || pg_get_userbyid(relowner)
from pg_class
where relkind in ('r', 'p') and relowner <> 'omni_loader'::regrole
    and relnamespace in (select oid from pg_namespace where nspname in ('bronze', 'ops', 'release'))
"""
_BYTES = 24


class Role(StrEnum):
    """The four roles of infra/postgres/roles.sql, as PostgreSQL knows them; people type the member's name."""

    LOADER = "omni_loader"
    TRANSFORM = "omni_transform"
    READER = "omni_reader"
    AUDITOR = "omni_auditor"


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
    for left in reversed(range(SET_UP_ATTEMPTS if is_able else 0)):
        try:
            with administrator, administrator.cursor() as cursor:
                cursor.execute((folder / ROLES_FILE).read_text(encoding="utf-8"))
                for role, verifier in verifiers.items():
                    statement = sql.SQL("alter role {} password {}")
                    cursor.execute(statement.format(sql.Identifier(role.value), sql.Literal(verifier)))
                return
        except LOST_A_RACE:
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
            wanting = lacking(cursor)
        if wanting:
            raise InfrastructureError(
                f"database {database}: {'; '.join(wanting)}, expected what infra/postgres/roles.sql makes of it, and"
                f" user {user} may not run that; nothing was created or changed",
                next_command=f"psql -d {database} -f infra/postgres/roles.sql   # as an administrator",
            )
    else:
        raise InfrastructureError(
            f"database {database}: user {user} is not in the roles omni_loader and omni_transform and can't create "
            "them, expected one or the other; nothing was created or changed",
            next_command=set_up_command(database, user),
        )


def lacking(cursor: Any) -> list[str]:
    """What an administrator has to do to the database, the roles being there."""
    cursor.execute(_LACKING)
    return [str(words) for (words,) in cursor.fetchall()]


def set_up_command(database: str, user: str) -> str:
    return (
        f"psql -d {database} -f infra/postgres/roles.sql -c 'grant omni_loader, omni_transform to \"{user}\"'"
        "   # as an administrator"
    )


def _strange(connection: Connection, error: psycopg2.Error) -> RefusedError:
    parameters = connection.get_dsn_parameters()
    database = parameters["dbname"]
    words = ["psql", "-h", parameters["host"], "-p", parameters["port"], "-U", parameters["user"], "-d", database]
    return RefusedError(
        f"database {database}: {error.diag.message_primary}, expected none. {error.diag.message_hint}"
        " Nothing was created or changed",
        next_command=f"{shlex.join(words)}   # as an administrator: DROP it, or ALTER it to another schema",
    )


# omni_transform has none: its door is for this checkout's own user (server.py), since dbt's profile reads no password
# file and a plain `dbt build` works in a fresh shell.
_ROLES = (Role.LOADER, Role.READER, Role.AUDITOR)


def write_passfile(warehouse: Warehouse, passfile: Path) -> None:
    """Make the file, or replace one that lacks a password; those that it has stay. One process at a time."""
    known = replace(warehouse, passfile=passfile if passfile.is_file() else None)
    found = {role: find_password(replace(known, user=role.value)) for role in _ROLES}
    if all(found.values()):
        return
    temporary = passfile.with_name(f"{passfile.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        for role in _ROLES:
            password = found[role] or secrets.token_urlsafe(_BYTES)
            file.write(passfile_line(replace(warehouse, user=role.value), password))
        file.flush()
        os.fsync(descriptor)
    temporary.replace(passfile)


def verifiers(administrator: Connection, warehouse: Warehouse) -> dict[Role, str]:
    """What the server keeps of each password of the file (SCRAM): the password itself is never sent to it."""
    passwords = {role: find_password(replace(warehouse, user=role.value)) for role in _ROLES}
    return {
        role: encrypt_password(password, role.value, administrator, "scram-sha-256")
        for role, password in passwords.items()
        if password
    }


def find_password(warehouse: Warehouse) -> str | None:
    """The password as libpq would find it: PGPASSWORD, else the first matching line of the password file.

    A file that others can read is ignored, as by libpq.
    """
    if not warehouse.is_embedded and os.environ.get("PGPASSWORD"):
        return os.environ["PGPASSWORD"]
    if warehouse.passfile is None or warehouse.passfile.stat().st_mode & 0o077:
        return None
    wanted = (warehouse.host, str(warehouse.port), warehouse.dbname, warehouse.user)
    for line in warehouse.passfile.read_text(encoding="utf-8").splitlines():
        # Four fields that end at a colon, then the password; a backslash takes the next character as it is.
        match = re.fullmatch(r"((?:\\.|[^:\\])*):" * 4 + "(.*)", line)
        if match and not line.startswith("#"):
            *fields, password = (re.sub(r"\\(.)", r"\1", field) for field in match.groups())
            if all(field in ("*", value) for field, value in zip(fields, wanted, strict=True)):
                return password
    return None


def passfile_line(warehouse: Warehouse, password: str) -> str:
    """A line of a libpq password file for exactly this server and user, any database."""
    host, user = (re.sub(r"([:\\])", r"\\\1", text) for text in (warehouse.host, warehouse.user))
    return f"{host}:{warehouse.port}:*:{user}:{password}\n"
