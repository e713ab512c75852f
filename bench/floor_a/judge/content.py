"""The content of one file as chunks of bytes, decompressed when it is gzip."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args

from bench.floor_a.judge.gzip_members import COMPRESSED_CHUNK_BYTES, GzipDefectError, iter_gzip
from bench.floor_a.judge.regular_file import CHUNK_BYTES, NotARegularFileError, open_regular, read_chunks
from loader.errors import InfrastructureError, RefusedError
from loader.printable import pasted

ContentEncoding = Literal["identity", "gzip"]


class ContentChangedError(RefusedError):
    """The file is not what the gate admitted: gone, damaged, or other bytes than its fingerprint says.

    Lines that were already read must not be completed. `reason_code` is the one for its asset.
    """

    reason_code = "source_changed_while_reading"


def open_content(path: Path, content_encoding: str, *, fingerprint: str | None = None) -> Iterator[bytes]:
    """Yield the (decompressed) content, each chunk non-empty and at most 1 MiB.

    `content_encoding` is 'identity' or 'gzip'. The file is opened at the first chunk. With `fingerprint`
    (hex SHA-256 of the file's own bytes) the last step compares it with what was read; a reader that stops
    early skips that comparison.
    Raises ContentChangedError for a missing, truncated, corrupt or different file and
    InfrastructureError for any other fault of the disk.
    """
    if content_encoding not in get_args(ContentEncoding):
        raise ValueError(f"content encoding {content_encoding!r}, expected one of {get_args(ContentEncoding)}")
    digest = None if fingerprint is None else hashlib.sha256()
    try:
        with open_regular(path) as file:
            if content_encoding == "gzip":
                delivered = read_chunks(file, chunk_bytes=COMPRESSED_CHUNK_BYTES)
                yield from iter_gzip(_hashed(delivered, digest))
            else:
                yield from _hashed(read_chunks(file, chunk_bytes=CHUNK_BYTES), digest)
    except GzipDefectError as error:
        raise _changed(path, error.message, fingerprint) from error
    except (FileNotFoundError, NotADirectoryError, NotARegularFileError) as error:
        raise _changed(path, str(error), fingerprint) from error
    except OSError as error:
        raise InfrastructureError(
            f"cannot read {os.fspath(path)!r}: {error}; none of its lines is completed",
            next_command=f"ls -l {pasted(path)}",
        ) from error
    if digest is not None and digest.hexdigest() != fingerprint:
        raise _changed(path, f"its SHA-256 is now {digest.hexdigest()}", fingerprint)


def _hashed(chunks: Iterable[bytes], digest: hashlib._Hash | None) -> Iterator[bytes]:
    for chunk in chunks:
        if digest is not None:
            digest.update(chunk)
        yield chunk


def _changed(path: Path, got: str, fingerprint: str | None) -> ContentChangedError:
    expected = f"the bytes with SHA-256 {fingerprint}" if fingerprint else "the bytes that the gate checked"
    return ContentChangedError(
        f"{os.fspath(path)!r} changed since the gate: {got}; expected {expected}; none of its lines is completed",
        next_command=f"sha256sum -- {pasted(path)}",
    )
