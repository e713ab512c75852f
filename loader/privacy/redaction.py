"""A person's lines in a file's content: where they are, and the same content with blanks in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from loader.reader import Line, iter_lines

# Only the first 64 KiB of a longer line are searched. The reader rejects lines of more than 10 MiB.
SEARCHED_LINE_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line of the person; `[start, end)`: the bytes of its body in the decompressed content, terminator excluded."""

    number: int
    start: int
    end: int
    erasure_id: str


def find_lines(
    content: Iterable[bytes],
    erasure_of: Callable[[bytes], str | None],
    on_line: Callable[[Line], None] = lambda line: None,
) -> list[FoundLine]:
    """The lines that fall under an erasure, in their order. `on_line` sees each of them whole."""
    found = []
    for line in iter_lines(content, max_line_bytes=SEARCHED_LINE_BYTES):
        erasure_id = erasure_of(line.body)
        if erasure_id is not None:
            on_line(line)
            # A line that was not read whole may have a terminator: one byte is left.
            length = line.length - 1 if line.is_too_long else len(line.body)
            found.append(FoundLine(line.number, line.offset, line.offset + length, erasure_id))
    return found


def blanked(content: Iterable[bytes], lines: Sequence[FoundLine]) -> Iterator[bytes]:
    """The content with a blank for every byte of these lines (ordered, as find_lines gives them): offsets, lengths and
    line numbers stay true, and the reader calls such a line blank."""
    offset = 0
    remaining = iter(lines)
    line = next(remaining, None)
    for chunk in content:
        end = offset + len(chunk)
        if line is not None and line.start < end:
            edited = bytearray(chunk)
            while line is not None and line.start < end:
                first, last = max(line.start, offset), min(line.end, end)
                edited[first - offset : last - offset] = b" " * (last - first)
                if line.end > end:
                    break
                line = next(remaining, None)
            chunk = bytes(edited)
        offset = end
        yield chunk
