"""Passwords of the embedded server's roles: made once, kept in a file that only its owner can read, in libpq's form."""

from __future__ import annotations

import os
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg2.extensions import encrypt_password

from loader.warehouse.connection import Role, Warehouse, find_password, passfile_line

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

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
