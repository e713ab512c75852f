"""Passwords as libpq finds them; the embedded server's are made once, in a file that only its owner can read."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2.extensions import encrypt_password

from loader.warehouse.roles import Role

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from loader.warehouse.connection import Warehouse


# omni_transform has none: its door is for this checkout's own user (server.py), since dbt's profile reads no password
# file and a plain `dbt build` works in a fresh shell.
_ROLES = (Role.LOADER, Role.READER, Role.AUDITOR)
_BYTES = 24


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
