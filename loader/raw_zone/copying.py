"""What goes into a part file: the bytes that the gate inspected, or content, compressed always in the same way."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from loader.errors import CheckFailedError
from loader.gate import Inspection
from loader.raw_zone.durable import PartFile
from loader.reader import NotARegularFileError, open_regular, read_chunks

# zlib's own header: no file name, time 0.
_GZIP_WITHOUT_NAME = 31
# Errors that say "the source is no longer what the gate saw", not "a disk or this machine is in trouble".
_SOURCE_GONE = (FileNotFoundError, NotADirectoryError, PermissionError, NotARegularFileError)


class SourceChangedError(CheckFailedError):
    """A source no longer has the bytes that the gate judged. Nothing was archived; `reason_code` says why."""

    reason_code = "source_changed_while_reading"


def copy_inspected(source: Path, inspected: Inspection, part: PartFile) -> None:
    """Write the bytes that the gate inspected; raises SourceChangedError where the source has others by now."""
    digest = hashlib.sha256()
    copied_bytes = 0
    try:
        file = open_regular(source)
    except _SOURCE_GONE as error:
        raise _changed(source, inspected, str(error)) from error
    with file:
        for chunk in read_chunks(file):
            copied_bytes += len(chunk)
            # A source that grows while it is read would otherwise fill the disk.
            if copied_bytes > inspected.size_bytes:
                raise _changed(source, inspected, f"more than {inspected.size_bytes} bytes")
            digest.update(chunk)
            part.write(chunk)
    if digest.hexdigest() != inspected.fingerprint:
        raise _changed(source, inspected, f"{copied_bytes} bytes, SHA-256 {digest.hexdigest()}")


def gzipped(content: Iterable[bytes]) -> Iterator[bytes]:
    """One member without a name or a time: the same content always gives the same bytes."""
    compressor = zlib.compressobj(wbits=_GZIP_WITHOUT_NAME)
    for chunk in content:
        yield compressor.compress(chunk)
    yield compressor.flush()


def _changed(source: Path, inspected: Inspection, got: str) -> SourceChangedError:
    return SourceChangedError(
        f"{os.fspath(source)!r} changed after the gate judged it: got {got}, "
        f"expected {inspected.size_bytes} bytes, SHA-256 {inspected.fingerprint}; it was not archived",
        next_command="make dry-run",
    )
