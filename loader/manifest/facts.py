"""What a manifest says about one file's bytes, found in one streaming pass."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

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
