"""Cuts content into physical lines that tile it: only `\\n` ends a line, nothing is lost or invented."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple

from loader.bounds import KEPT_LINE_BYTES, MAX_LINE_BYTES


class Line(NamedTuple):
    """One physical line; `offset` and `length` (with its terminator) are bytes of the decompressed content.

    `body` is the line without `\\n` and without one `\\r` before it. When `is_too_long`, it holds the first
    65536 bytes only and `body_sha256` covers the whole body; else `body_sha256` is None.
    """

    number: int
    offset: int
    length: int
    body: bytes
    body_sha256: bytes | None
    is_too_long: bool


def iter_lines(
    chunks: Iterable[bytes],
    *,
    max_line_bytes: int = MAX_LINE_BYTES,
    kept_line_bytes: int = KEPT_LINE_BYTES,
) -> Iterator[Line]:
    """Yield the lines in order: numbers from 1, first offset 0, each offset the end of the line before.

    The result depends on the concatenated bytes only, never on how they are cut into chunks. No content,
    no line; a missing final `\\n` still ends a line; after a final `\\n` there is none. A body of exactly
    `max_line_bytes` is whole. Memory: one chunk, plus at most `max_line_bytes` of an unfinished line.
    """
    new = tuple.__new__
    number = 0
    offset = 0
    unfinished = _UnfinishedLine(max_line_bytes, kept_line_bytes)
    for chunk in chunks:
        bodies = chunk.split(b"\n")
        rest = bodies.pop()
        ended = iter(bodies)
        if unfinished.size and bodies:
            unfinished.add(next(ended))
            number += 1
            line = unfinished.finish(number, offset, is_terminated=True)
            yield line
            offset += line.length
        if len(chunk) > max_line_bytes or b"\r" in chunk:
            for body in ended:
                number += 1
                length = len(body) + 1
                if body[-1:] == b"\r":
                    body = body[:-1]
                yield _line(number, offset, length, body, max_line_bytes, kept_line_bytes)
                offset += length
        else:
            # Building the tuple directly is worth a quarter of the time of this loop.
            for body in ended:
                number += 1
                length = len(body) + 1
                yield new(Line, (number, offset, length, body, None, False))
                offset += length
        unfinished.add(rest)
    if unfinished.size:
        yield unfinished.finish(number + 1, offset, is_terminated=False)


def lines_at(chunks: Iterable[bytes], numbers: Collection[int]) -> Iterator[Line]:
    """The lines that iter_lines numbers so, in order. Chunks before the first of them are counted, not cut."""
    first, last = min(numbers), max(numbers)
    rest = iter(chunks)
    number = offset = 0
    for chunk in rest:
        ended = chunk.count(b"\n")
        if number + ended + 1 < first:
            number += ended
            offset += len(chunk)
            continue
        if offset:
            # The line that began before this chunk is none of them.
            begin = chunk.index(b"\n") + 1
            number += 1
            offset += begin
            chunk = chunk[begin:]
        for line in islice(iter_lines(chain((chunk,), rest)), last - number):
            if number + line.number in numbers:
                yield line._replace(number=number + line.number, offset=offset + line.offset)
        return


def is_blank(body: bytes) -> bool:
    """True for a body of nothing but JSON white space. Ask `is_too_long` first: there, body is a part."""
    return not body.strip(b" \t\r")


def count_lines(chunks: Iterable[bytes]) -> int:
    """Count what iter_lines would yield, from the first byte on, without cutting or keeping any line."""
    ended_count = 0
    last = b"\n"
    for chunk in chunks:
        ended_count += chunk.count(b"\n")
        last = chunk[-1:] or last
    return ended_count + (last != b"\n")


def _line(number: int, offset: int, length: int, body: bytes, max_line_bytes: int, kept_line_bytes: int) -> Line:
    if len(body) <= max_line_bytes:
        return Line(number, offset, length, body, None, False)
    return Line(number, offset, length, body[:kept_line_bytes], hashlib.sha256(body).digest(), True)


class _UnfinishedLine:
    """Bytes after the last `\\n`. Past `max_line_bytes` only their head and running SHA-256 are held."""

    def __init__(self, max_line_bytes: int, kept_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._kept_line_bytes = kept_line_bytes
        self._reset()

    def _reset(self) -> None:
        self.size = 0
        self._held = bytearray()
        self._digest: hashlib._Hash | None = None
        # A last `\r` stays out of the digest until it is known whether `\n` follows.
        self._has_open_return = False

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if self._digest is None:
            self._held += data
            # One more than the limit, because a `\r` before `\n` is not part of the body.
            if self.size > self._max_line_bytes + 1:
                self._digest = hashlib.sha256()
                self._hash(bytes(self._held))
                del self._held[self._kept_line_bytes :]
        else:
            self._hash(data)
            self._held += data[: self._kept_line_bytes - len(self._held)]

    def _hash(self, data: bytes) -> None:
        if self._digest is None or not data:
            return
        if self._has_open_return:
            self._digest.update(b"\r")
        self._has_open_return = data.endswith(b"\r")
        self._digest.update(memoryview(data)[: len(data) - self._has_open_return])

    def finish(self, number: int, offset: int, *, is_terminated: bool) -> Line:
        length = self.size + is_terminated
        held = bytes(self._held)
        digest, has_open_return, size = self._digest, self._has_open_return, self.size
        self._reset()
        if digest is None:
            if is_terminated and held.endswith(b"\r"):
                held = held[:-1]
            return _line(number, offset, length, held, self._max_line_bytes, self._kept_line_bytes)
        if has_open_return and not is_terminated:
            digest.update(b"\r")
        body_size = size - (has_open_return and is_terminated)
        return Line(number, offset, length, held[:body_size], digest.digest(), True)
