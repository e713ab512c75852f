"""What people say of single files, beside what their names and bytes say: a file of JSON for `make manifest`."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from loader.errors import CommandUsageError
from loader.kinds import Kind
from loader.manifest.draft import day_of_record

Metadata = Mapping[str, Mapping[str, Any]]


def read_metadata(path: Path | None, source_ids: Collection[str]) -> Metadata:
    """Metadata by the name of each file, from `{"<file>": {"<field>": <value>, …}, …}`; None: nothing is said. Raises
    CommandUsageError where the file holds something else, or names a file that is not among `source_ids`."""
    if path is None:
        return {}
    try:
        said = json.loads(path.read_text("utf-8"), object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError) as error:
        raise _refused(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if not isinstance(said, dict) or not all(isinstance(each, dict) for each in said.values()):
        raise _refused(path, 'expected {"<file>": {"<field>": <value>}}')
    if unknown := sorted(said.keys() - set(source_ids)):
        what = "1 file that is" if len(unknown) == 1 else f"{len(unknown):,} files that are"
        raise _refused(path, f"names {what} not in the folder: {', '.join(map(repr, unknown[:3]))}")
    return said


def metadata_of(kind: Kind, at: datetime | None, said: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a file: what follows from its kind and day, and what is said of it, which counts first."""
    return {"schema_version": kind.name, **day_of_record(kind, at), **said}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(name for name, _ in pairs if [one for one, _ in pairs].count(name) > 1)
        raise ValueError(f"{twice!r} stands there twice")
    return found


def _refused(path: Path, what: str) -> CommandUsageError:
    return CommandUsageError(
        f"METADATA: {os.fspath(path)!r} {what}; no manifest was written",
        next_command="make manifest FROM=<folder> OUT=<manifest.json> METADATA=<file.json>",
    )
