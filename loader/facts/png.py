"""Whether a PNG holds all of its rows: its library shows what is there, and says nothing of what is not.

By the PNG specification (W3C, third edition): section 5 for chunks, 8.1 for Adam7, 7.2 for the bytes of a row.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from loader.facts.model import RefusedFileError

_SIGNATURE_BYTES = 8
_HEAD_BYTES = 13
# Unpacked at a time: all at once might take more memory than the picture does.
_PIECE_BYTES = 2**20
# Samples of a pixel, by the colour type.
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# First column and row of each pass, and the steps between them.
_WHOLE = ((0, 0, 1, 1),)
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def require_all_rows(file: BinaryIO) -> None:
    """Raises RefusedFileError where pixels are missing of a file that its library takes for a PNG."""
    file.seek(_SIGNATURE_BYTES)
    expected, held = 1, 0
    inflate = zlib.decompressobj()
    for name, content in _chunks(file):
        if name == b"IHDR" and len(content) >= _HEAD_BYTES:
            expected = _expected_bytes(content)
        while name == b"IDAT" and content and held < expected:
            try:
                held += len(inflate.decompress(content, _PIECE_BYTES))
            except zlib.error as error:
                raise RefusedFileError("unreadable_file", "the image has pixels that cannot be unpacked") from error
            content = inflate.unconsumed_tail
    if held < expected and held + len(inflate.flush()) < expected:
        raise RefusedFileError("unreadable_file", "the image has fewer rows of pixels than it says")


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while len(start := file.read(8)) == 8:
        size, name = struct.unpack(">I4s", start)
        yield name, file.read(size)
        file.seek(4, 1)


def _expected_bytes(head: bytes) -> int:
    width, height, depth, colours, _, _, is_interlaced = struct.unpack(">IIBBBBB", head[:_HEAD_BYTES])
    bits = depth * _SAMPLES.get(colours, 0)
    total = 0
    for left, top, across, down in _ADAM7 if is_interlaced else _WHOLE:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            # Each row begins with the byte that says how it was filtered.
            total += rows * (1 + -(-columns * bits // 8))
    return total
