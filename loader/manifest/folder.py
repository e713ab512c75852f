"""Which files of a folder are exports, and why each other one is not."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from loader.errors import InfrastructureError
from loader.reader import open_regular

# Names that engines give to JSON lines.
_JSON_LINES = (".jsonl", ".json", ".ndjson", ".ldjson", ".jsonlines", ".jl")
# A contract's asset types decide which of them count.
_TYPE_OF_ENDING = (
    *((f"{ending}.gz", "jsonl_gz") for ending in _JSON_LINES),
    *((ending, "jsonl") for ending in _JSON_LINES),
    (".pdf", "pdf"),
    (".html", "html"),
    (".md", "markdown"),
    (".wav", "wav"),
    (".mp3", "mp3"),
    (".mp4", "mp4"),
)
_HEAD_BYTES = 4096


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to declare. `source_id` is its path below the folder, with slashes."""

    source_id: str
    path: Path
    asset_type: str


@dataclass(frozen=True, slots=True)
class IgnoredFile:
    """A name below the folder that is not declared, and why."""

    name: str
    reason: str


def scan(
    folder: Path, asset_types: Collection[str], include: str | None = None
) -> tuple[list[FoundFile], list[IgnoredFile]]:
    """The exports in `folder` and its subfolders, and everything else, each in name order.

    Only the head of a `*.json` is read: it may be lines, or one document such as a manifest.

    `include` is a shell pattern for the path below the folder. Links to folders are not followed; a link to a
    file is an export unless the folder holds its target anyway. Raises InfrastructureError for a folder that
    cannot be read.
    """
    found: list[FoundFile] = []
    ignored: list[IgnoredFile] = []
    real_folder = os.path.realpath(folder)
    for directory, subfolders, names in os.walk(folder, onerror=_cannot_read):
        for name in sorted(subfolders):
            path = Path(directory, name)
            reason = _reason_against_folder(path)
            if reason:
                subfolders.remove(name)
                ignored.append(IgnoredFile(f"{_below(path, folder)}/", reason))
        for name in names:
            path = Path(directory, name)
            source_id = _below(path, folder)
            asset_type = _asset_type(name, asset_types)
            reason = _reason_against_file(path, source_id, asset_type, include, real_folder)
            if reason or asset_type is None:
                ignored.append(IgnoredFile(source_id, reason))
            else:
                found.append(FoundFile(source_id, path, asset_type))
    found.sort(key=lambda file: file.source_id)
    ignored.sort(key=lambda file: file.name)
    return found, ignored


def _below(path: Path, folder: Path) -> str:
    return PurePosixPath(path.relative_to(folder)).as_posix()


def _asset_type(name: str, asset_types: Collection[str]) -> str | None:
    for ending, asset_type in _TYPE_OF_ENDING:
        if name.lower().endswith(ending):
            return asset_type if asset_type in asset_types else None
    return None


def _reason_against_folder(path: Path) -> str:
    if path.is_symlink():
        return "a link to a folder"
    if path.name.startswith("."):
        return "hidden"
    return "an engine's own folder" if path.name.startswith("_") else ""


def _reason_against_file(
    path: Path, source_id: str, asset_type: str | None, include: str | None, real_folder: str
) -> str:
    if path.name.startswith("."):
        return "hidden"
    if path.name.startswith("_") and (asset_type is None or path.suffix == ".json"):
        return "a marker of an engine"
    if asset_type is None:
        return "its ending is none of the contract's"
    if include is not None and not fnmatchcase(source_id, include):
        return f"does not match {include}"
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "a link that leads nowhere"
    except OSError as error:
        return f"cannot be looked at: {error.strerror}"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    if path.is_symlink():
        target = os.path.realpath(path)
        if os.path.commonpath((target, real_folder)) == real_folder:
            return f"a link to {os.path.relpath(target, real_folder)}"
    if path.suffix.lower() == ".json" and _is_one_document(path):
        return "one JSON document, no JSON lines"
    return ""


def _is_one_document(path: Path) -> bool:
    """Whether the first line only opens an object, as in a schema or a report, or declares a manifest."""
    try:
        with open_regular(path) as file:
            first = file.read(_HEAD_BYTES).strip().split(b"\n", 1)[0].rstrip()
    except OSError:
        return False
    return first == b"{" or (first.startswith(b"{") and b'"manifest_version"' in first)


def _cannot_read(error: OSError) -> None:
    raise InfrastructureError(
        f"cannot list {error.filename!r}: {error.strerror}; no manifest was written",
        next_command="ls -ld <the folder>",
    ) from error
