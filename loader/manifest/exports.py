"""The exports of a folder: which files they are, why each other one is not, and what their bytes are."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from loader.bounds import ExpansionLimits
from loader.errors import InfrastructureError
from loader.printable import pasted
from loader.reader import (
    COMPRESSED_CHUNK_BYTES,
    GZIP_MAGIC,
    GzipDefectError,
    NotARegularFileError,
    is_blank,
    iter_gzip,
    iter_lines,
    open_regular,
    read_chunks,
)

# Names that engines give to JSON lines.
_JSON_LINES = (".jsonl", ".json", ".ndjson", ".ldjson", ".jsonlines", ".jl")
# A contract's asset types decide which of them count.
_TYPE_OF_ENDING = (
    *((f"{ending}.gz", "jsonl_gz") for ending in _JSON_LINES),
    *((ending, "jsonl") for ending in _JSON_LINES),
    (".pdf", "pdf"),
    (".html", "html"),
    (".htm", "html"),
    (".md", "markdown"),
    (".markdown", "markdown"),
    (".wav", "wav"),
    (".mp3", "mp3"),
    (".ogg", "ogg"),
    (".mp4", "mp4"),
    (".webm", "webm"),
    (".png", "png"),
    (".jpg", "jpeg"),
    (".jpeg", "jpeg"),
    (".webp", "webp"),
    (".txt", "txt"),
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
            asset_type = asset_type_of_name(name, asset_types)
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


def asset_type_of_name(name: str, asset_types: Collection[str]) -> str | None:
    """What its ending says that a file is, where it is one of these."""
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


@dataclass(frozen=True, slots=True)
class FileFacts:
    """SHA-256 (hex), size and time stamp of a file as delivered.

    `record_count` counts its lines that are not blank; None when it was not asked for, or when the file is a broken
    gzip, or expands further than the gate lets it: `defect` then says how. `modified_ns` is in nanoseconds since 1970.
    """

    fingerprint: str
    size_bytes: int
    is_gzip: bool
    record_count: int | None
    modified_ns: int
    defect: str | None = None


def read_facts(path: Path, *, counts_records: bool) -> FileFacts:
    """Read a regular file once, in constant memory. A broken gzip is hashed to its end all the same.

    Raises InfrastructureError for a file that cannot be read; FileNotFoundError, NotADirectoryError or
    NotARegularFileError when there is none.
    """
    digest = hashlib.sha256()
    size_bytes = 0

    def delivered() -> Iterator[bytes]:
        nonlocal size_bytes
        for chunk in read_chunks(file, chunk_bytes=COMPRESSED_CHUNK_BYTES):
            digest.update(chunk)
            size_bytes += len(chunk)
            yield chunk

    record_count: int | None = None
    defect: str | None = None
    try:
        with open_regular(path) as file:
            status = os.fstat(file.fileno())
            is_gzip = os.pread(file.fileno(), len(GZIP_MAGIC), 0) == GZIP_MAGIC
            chunks = delivered()
            if counts_records:
                try:
                    content = iter_gzip(chunks) if is_gzip else chunks
                    record_count = _count_records(content, ExpansionLimits().content_bytes(status.st_size))
                except (GzipDefectError, _TooMuchError) as error:
                    defect = str(error)
            for _ in chunks:
                pass
    except (FileNotFoundError, NotADirectoryError, NotARegularFileError):
        raise
    except OSError as error:
        raise InfrastructureError(
            f"cannot read {os.fspath(path)!r}: {error.strerror}; no manifest was made",
            next_command=f"ls -l {pasted(path)}",
        ) from error
    return FileFacts(digest.hexdigest(), size_bytes, is_gzip, record_count, status.st_mtime_ns, defect)


class _TooMuchError(Exception):
    pass


def _count_records(content: Iterable[bytes], most_bytes: int) -> int:
    return sum(line.is_too_long or not is_blank(line.body) for line in iter_lines(_at_most(most_bytes, content)))


def _at_most(most_bytes: int, content: Iterable[bytes]) -> Iterator[bytes]:
    left = most_bytes
    for piece in content:
        left -= len(piece)
        if left < 0:
            raise _TooMuchError(f"it expands to more than {most_bytes} bytes")
        yield piece
