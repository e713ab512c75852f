"""Decompresses a gzip stream of any number of members, and accepts no byte that is not part of one."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import Literal

GZIP_MAGIC = b"\x1f\x8b"
# Compressed bytes taken at a time: bounds the input that zlib copies back with each piece of output.
COMPRESSED_CHUNK_BYTES = 1 << 16
OUTPUT_BYTES = 1 << 20

# zlib: 15 bits of window, plus 16 for "gzip header and trailer, CRC-32 and length checked".
_GZIP_WINDOW_BITS = 15 + 16

GzipDefect = Literal["truncated_gzip", "corrupt_gzip", "trailing_garbage"]


class GzipDefectError(Exception):
    """The stream is not a whole number of sound members. `reason_code` says how it fails."""

    def __init__(self, reason_code: GzipDefect, message: str) -> None:
        super().__init__(message)
        self.reason_code = reason_code
        self.message = message


def iter_gzip(chunks: Iterable[bytes], *, output_bytes: int = OUTPUT_BYTES) -> Iterator[bytes]:
    """Yield the decompressed content of all members, each piece non-empty and at most `output_bytes`.

    Ends normally only when every compressed byte belongs to a complete member whose CRC and length
    fit. Anything after a member that does not start another, zero padding included, is garbage.
    Raises GzipDefectError, after the pieces before the defect were yielded.
    """
    member_count = 0
    decoder = None
    pending = b""
    for chunk in chunks:
        data = pending + chunk
        pending = b""
        while data:
            if decoder is None:
                if len(data) < len(GZIP_MAGIC):
                    pending = data
                    break
                if not data.startswith(GZIP_MAGIC):
                    raise _no_member(member_count)
                decoder = zlib.decompressobj(_GZIP_WINDOW_BITS)
            try:
                yield from _inflate(decoder, data, output_bytes)
            except zlib.error as error:
                raise GzipDefectError("corrupt_gzip", f"gzip member {member_count + 1} is corrupt: {error}") from error
            data = b""
            if decoder.eof:
                data = decoder.unused_data
                decoder = None
                member_count += 1
    if pending and member_count:
        raise _no_member(member_count)
    if decoder is not None or member_count == 0:
        raise GzipDefectError("truncated_gzip", f"the stream ends inside gzip member {member_count + 1}")


def _inflate(decoder: zlib._Decompress, data: bytes, output_bytes: int) -> Iterator[bytes]:
    while not decoder.eof:
        output = decoder.decompress(data, output_bytes)
        if output:
            yield output
        data = decoder.unconsumed_tail
        # Output still inside zlib comes with the next input: a member's trailer at least follows.
        if not data:
            return


def _no_member(member_count: int) -> GzipDefectError:
    if member_count == 0:
        return GzipDefectError("corrupt_gzip", "the stream does not start with a gzip header")
    return GzipDefectError(
        "trailing_garbage", f"after gzip member {member_count} come bytes that start no other member"
    )
