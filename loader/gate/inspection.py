"""What a file's bytes are, found in one streaming pass: the only facts about bytes that the gate believes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from loader.gate.location import open_asset, unreadable_disk
from loader.reader import ContentEncoding, GzipDefectError, iter_gzip, read_chunks
from loader.reader.gzip_members import COMPRESSED_CHUNK_BYTES, GZIP_MAGIC
from loader.reader.regular_file import CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class ExpansionLimits:
    """How far a gzip file may expand. Memory is constant either way: the limits bound time, later also rows.

    Exports shrink 5 to 40 times, gzip can shrink 1,032 times; a file may always expand to `free_bytes`.
    """

    max_content_bytes: int = 256 * 2**30
    max_ratio: int = 200
    free_bytes: int = 2**30

    def content_bytes(self, size_bytes: int) -> int:
        """Return the greatest content that a file of this size may have."""
        return min(self.max_content_bytes, max(self.free_bytes, self.max_ratio * size_bytes))


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


def inspect_file(file: FileIO, path: Path, *, limits: ExpansionLimits | None = None) -> Inspection:
    """Read an open file from its start to its end once; `path` is for messages only.

    Encoding is decided by the gzip magic, not by a name. All bytes are hashed, also after a defect, so the
    fingerprint is always that of the whole file. Defects: truncated_gzip, corrupt_gzip, trailing_garbage,
    decompression_limit, source_changed_while_reading (size or time stamp moved during the pass, which
    makes every other finding doubtful). Raises InfrastructureError for a fault of the disk.
    """
    try:
        before = os.fstat(file.fileno())
        measured = _MeasuredFile(file)
        if os.pread(file.fileno(), len(GZIP_MAGIC), 0) == GZIP_MAGIC:
            limit = (limits or ExpansionLimits()).content_bytes(before.st_size)
            inspection = _inspect_gzip(measured, limit)
        else:
            content_bytes = sum(map(len, measured.chunks(CHUNK_BYTES)))
            inspection = measured.inspection("identity", content_bytes)
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


def _inspect_gzip(measured: _MeasuredFile, limit: int) -> Inspection:
    content_bytes = 0
    compressed = measured.chunks(COMPRESSED_CHUNK_BYTES)
    defect: str | None = None
    message = ""
    try:
        for piece in iter_gzip(compressed):
            content_bytes += len(piece)
            if content_bytes > limit:
                defect = "decompression_limit"
                message = f"the file expands to more than {limit} bytes, the limit for its size"
                break
    except GzipDefectError as error:
        defect, message = error.reason_code, error.message
    for _ in compressed:
        pass
    return measured.inspection("gzip", content_bytes, defect, message)


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
