"""What a file's bytes are, found in one streaming pass: the only facts about bytes that the gate believes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path

from loader.bounds import ExpansionLimits
from loader.facts import Facts, FactsDefect, FactsReader
from loader.gate.location import AssetRefusedError, open_asset, unreadable_disk
from loader.reader import (
    CHUNK_BYTES,
    COMPRESSED_CHUNK_BYTES,
    GZIP_MAGIC,
    ContentEncoding,
    GzipDefectError,
    iter_gzip,
    read_chunks,
)

# By fingerprint and asset type of a file that is a record.
KnownFacts = Mapping[tuple[str, str], Facts | FactsDefect]


@dataclass(frozen=True, slots=True)
class Inspection:
    """Facts about a file. With a `defect` (a reason code), content_bytes counts what came before it."""

    fingerprint: str
    size_bytes: int
    content_encoding: ContentEncoding
    content_bytes: int
    defect: str | None = None
    defect_message: str = ""


def inspect(path: Path, *, limits: ExpansionLimits | None = None) -> Inspection:
    """Open the file at `path` and inspect it; see inspect_file. Raises AssetRefusedError as open_asset."""
    with open_asset(path) as file:
        return inspect_file(file, path, limits=limits)


def inspect_file(
    file: FileIO, path: Path, *, is_record: bool = False, limits: ExpansionLimits | None = None
) -> Inspection:
    """Read an open file from its start to its end once; `path` is for messages only.

    Encoding is decided by the gzip magic, not by a name. A file that `is_record` is its own content, and has no lines.
    All bytes are hashed, also after a defect, so the fingerprint is always that of the whole file. Defects:
    truncated_gzip, corrupt_gzip, trailing_garbage, decompression_limit, too_many_lines, source_changed_while_reading
    (size or time stamp moved during the pass, which makes every other finding doubtful). Raises AssetRefusedError
    (asset_too_large, before anything is read), InfrastructureError for a fault of the disk.
    """
    limits = limits or ExpansionLimits()
    try:
        before = os.fstat(file.fileno())
        if before.st_size > limits.max_content_bytes:
            raise AssetRefusedError(
                "asset_too_large", f"the file has {before.st_size} bytes, at most {limits.max_content_bytes} are read"
            )
        measured = _MeasuredFile(file)
        if is_record:
            for _ in measured.chunks(CHUNK_BYTES):
                pass
            inspection = measured.inspection("identity", measured.size_bytes)
        elif os.pread(file.fileno(), len(GZIP_MAGIC), 0) == GZIP_MAGIC:
            chunks = measured.chunks(COMPRESSED_CHUNK_BYTES)
            inspection = _inspect(measured, "gzip", chunks, iter_gzip(chunks), limits, before.st_size)
        else:
            chunks = measured.chunks(CHUNK_BYTES)
            inspection = _inspect(measured, "identity", chunks, chunks, limits, before.st_size)
        after = os.fstat(file.fileno())
    except OSError as error:
        raise unreadable_disk(path, error) from error
    is_unmoved = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if is_unmoved and measured.size_bytes == after.st_size:
        return inspection
    return measured.inspection(
        inspection.content_encoding,
        inspection.content_bytes,
        "source_changed_while_reading",
        f"the file was written to while it was read: {before.st_size} bytes before, {after.st_size} after, "
        f"{measured.size_bytes} read",
    )


def inspect_record(
    file: FileIO, path: Path, wanted: tuple[str, str], reader: FactsReader, known: KnownFacts
) -> tuple[Inspection, Facts | FactsDefect | None]:
    """Inspect a file that is a record, and read its facts, or the defect for which it has none: its record is then
    rejected, and the file is what was delivered all the same.

    `wanted`: what reads them, and the asset type; `known`: facts by fingerprint and asset type. The facts are those of
    the bytes that were inspected: what has moved meanwhile is `source_changed_while_reading`.
    """
    before = os.fstat(file.fileno())
    inspection = inspect_file(file, path, is_record=True)
    facts = known.get((inspection.fingerprint, wanted[1]))
    if facts is not None or inspection.defect is not None or inspection.size_bytes == 0:
        return inspection, facts
    found = reader.read(path, *wanted)
    try:
        after = path.stat()
    except OSError:
        after = None
    if after is None or (
        (before.st_dev, before.st_ino, before.st_size, before.st_mtime_ns)
        != (after.st_dev, after.st_ino, after.st_size, after.st_mtime_ns)
    ):
        moved = "the file was written to or replaced while its facts were read"
        return replace(inspection, defect="source_changed_while_reading", defect_message=moved), None
    return inspection, found


def _inspect(
    measured: _MeasuredFile,
    content_encoding: ContentEncoding,
    delivered: Iterator[bytes],
    content: Iterator[bytes],
    limits: ExpansionLimits,
    size_bytes: int,
) -> Inspection:
    """`content` comes out of `delivered`, which is read to its end whatever is found."""
    content_bytes = line_ends = 0
    most_bytes, most_lines = limits.content_bytes(size_bytes), limits.lines(size_bytes)
    defect: str | None = None
    message = ""
    try:
        for piece in content:
            content_bytes += len(piece)
            line_ends += piece.count(b"\n")
            if content_bytes > most_bytes:
                defect = "decompression_limit"
                message = f"the file expands to more than {most_bytes} bytes, the limit for its size"
                break
            if line_ends > most_lines:
                defect = "too_many_lines"
                message = f"the file has more than {most_lines} lines, the limit for its size"
                break
    except GzipDefectError as error:
        defect, message = error.reason_code, error.message
    for _ in delivered:
        pass
    return measured.inspection(content_encoding, content_bytes, defect, message)


class _MeasuredFile:
    def __init__(self, file: FileIO) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def chunks(self, chunk_bytes: int) -> Iterator[bytes]:
        for chunk in read_chunks(self._file, chunk_bytes=chunk_bytes):
            self._digest.update(chunk)
            self.size_bytes += len(chunk)
            yield chunk

    def inspection(
        self,
        content_encoding: ContentEncoding,
        content_bytes: int,
        defect: str | None = None,
        defect_message: str = "",
    ) -> Inspection:
        return Inspection(
            self._digest.hexdigest(), self.size_bytes, content_encoding, content_bytes, defect, defect_message
        )
