"""Versions of the loader's tables: what infra/postgres defines, what a database says that it holds, what leads there.

The version of a database is the number of the last migration that counts as applied in it; the version of the code is
that of the last one it has. The definition files say each table's shape once, as a new database gets it; a migration
brings a database of the version before it there (docs/decisions/0016).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loader.checkout import read_committed
from loader.errors import InfrastructureError, RefusedError

MIGRATIONS = "migrations"
ROLES_FILE = "roles.sql"
# A line of each: SHA-256 of the definition files; what follows is for people.
BEFORE_NUMBERS = "before_numbers.txt"
# How a file begins that `loader kind generate` writes.
_GENERATED = b"-- Written by `loader kind generate`"
_MIGRATION = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class Definition:
    """What the checkout has. `files`: the definition files in the order of their names, roles.sql last; `sha256`: of
    all of them, `numbered_sha256`: of those that are written by hand, of which each change has a number (a kind more is
    none: its tables are made where they are missing); `migrations`: from the second version on, by number;
    `before_numbers`: hashes of the shapes that migration 1 starts from."""

    files: tuple[Path, ...]
    sha256: str
    numbered_sha256: str
    migrations: Mapping[int, Path]
    before_numbers: frozenset[str]

    @property
    def version(self) -> int:
        return max(self.migrations)

    @property
    def tables(self) -> tuple[Path, ...]:
        """The files that are omni_loader's to apply."""
        return tuple(file for file in self.files if file.name != ROLES_FILE)


@dataclass(frozen=True, slots=True)
class RecordedVersion:
    """What a database says that it holds. `version` None: from before there were numbers."""

    version: int | None
    sha256: str
    loader_version: str


def read_definition(folder: Path) -> Definition:
    """The files of infra/postgres as they are now.

    Raises InfrastructureError where there are none, or where the numbers of the migrations have a gap: an empty list
    would pass as "up to date".
    """
    files = tuple(schema_files(folder))
    migrations: dict[int, Path] = {}
    for file in sorted((folder / MIGRATIONS).glob("*.sql")):
        match = _MIGRATION.fullmatch(file.name)
        if match is None or int(match[1]) != len(migrations) + 1:
            raise InfrastructureError(
                f"{file}: expected {len(migrations) + 1:04d}_<words>.sql; no table was created or changed",
                next_command="git status infra/postgres",
            )
        migrations[int(match[1])] = file
    if not migrations:
        raise InfrastructureError(
            f"{folder / MIGRATIONS}: got no migration, expected 0001 and what follows; no table was created or changed",
            next_command="git status infra/postgres",
        )
    known = (folder / MIGRATIONS / BEFORE_NUMBERS).read_text(encoding="utf-8").splitlines()
    hashes = frozenset(line.split()[0] for line in known if line and not line.startswith("#"))
    numbered = [file for file in files if not read_committed(file).startswith(_GENERATED)]
    return Definition(files, content_sha256(list(files)), content_sha256(numbered), migrations, hashes)


def schema_files(folder: Path) -> list[Path]:
    """The definition files in the order of their names, roles.sql last. Raises InfrastructureError for none."""
    files = sorted(folder.glob("*.sql"))
    if not files:
        raise InfrastructureError(
            f"{folder}: got no SQL file, expected the warehouse's tables; no table was created",
            next_command="git status infra/postgres",
        )
    return files


def content_sha256(files: list[Path]) -> str:
    """One hash over names and contents, so that a renamed, added or edited file is another definition."""
    digest = hashlib.sha256()
    for file in files:
        body = read_committed(file)
        digest.update(f"{file.name}\0{len(body)}\0".encode() + body)
    return digest.hexdigest()


def as_recorded(row: Mapping[str, Any]) -> RecordedVersion:
    """The row of ops.schema_version, in whatever shape the version that wrote it gave it."""
    sha256 = row.get("definition_sha256", row.get("content_sha256", ""))
    return RecordedVersion(row.get("version"), sha256, str(row.get("loader_version", "unknown")))


def is_current(recorded: RecordedVersion | None, definition: Definition) -> bool:
    return recorded is not None and recorded.version == definition.version and recorded.sha256 == definition.sha256


def due_migrations(recorded: RecordedVersion | None, definition: Definition, dbname: str) -> list[Path]:
    """The migrations that lead from what a database holds to this version, in their order; none for a new database.

    Raises RefusedError, for every command, where there is no way: a newer database, or one whose shape is unknown.
    """
    if recorded is None or recorded.version == definition.version:
        return []
    if recorded.version is None and recorded.sha256 not in definition.before_numbers:
        raise RefusedError(
            f"database {dbname}: its tables are those of definition {recorded.sha256[:12]}, which has no number and is"
            f" none of the {len(definition.before_numbers)} that version {definition.version} can start from (older, or"
            f" made by edited files). Nothing was read or changed. {_BESIDE}",
            next_command=_beside(dbname),
        )
    found = recorded.version or 0
    if found > definition.version:
        raise RefusedError(
            f"database {dbname}: its tables have version {found} (written by loader {recorded.loader_version}), this"
            f" checkout knows versions up to {definition.version}. Nothing was read or changed. Work from the checkout"
            f" that has infra/postgres/{MIGRATIONS}/{found:04d}_….sql, or update this one",
            next_command="make smoke   # tells both versions",
        )
    return [file for number, file in definition.migrations.items() if number > found]


_BESIDE = "What was delivered can be ingested into a new database beside it; the old one stays as it is"


def _beside(dbname: str) -> str:
    return f"PGDATABASE={dbname}_new LOADER_REPORT_DIR=reports_new make ingest"
