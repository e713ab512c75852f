"""Lines tile the content and do not depend on how it arrives in chunks."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.reader import KEPT_LINE_BYTES, MAX_LINE_BYTES, Line, is_blank, iter_lines
from loader.reader.lines import count_lines, lines_at

CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.lists(st.sampled_from([b"\n", b"\r", b"\r\n", b"a", b"bb", b"\xe2\x80\xa8", b"\x00"]), max_size=40).map(
        b"".join
    ),
)


def naive_lines(content: bytes, max_line_bytes: int, kept_line_bytes: int) -> list[Line]:
    """The definition itself, on the whole content at once."""
    lines: list[Line] = []
    start = 0
    while start < len(content):
        newline = content.find(b"\n", start)
        end = len(content) if newline < 0 else newline + 1
        body = content[start:end]
        if body.endswith(b"\n"):
            body = body[:-1]
            if body.endswith(b"\r"):
                body = body[:-1]
        is_too_long = len(body) > max_line_bytes
        lines.append(
            Line(
                len(lines) + 1,
                start,
                end - start,
                body[:kept_line_bytes] if is_too_long else body,
                hashlib.sha256(body).digest() if is_too_long else None,
                is_too_long,
            )
        )
        start = end
    return lines


def cut(content: bytes, cuts: list[int]) -> Iterator[bytes]:
    bounds = [0, *sorted(min(place, len(content)) for place in cuts), len(content)]
    for start, end in pairwise(bounds):
        yield content[start:end]


@given(CONTENTS, st.lists(st.integers(0, 60), max_size=12), st.integers(0, 12), st.integers(0, 8))
def test_lines_equal_their_definition_however_the_content_is_cut(
    content: bytes, cuts: list[int], max_line_bytes: int, kept_line_bytes: int
) -> None:
    """Prevents lines lost, doubled or glued at a chunk's edge, also just around the length limit."""
    lines = list(iter_lines(cut(content, cuts), max_line_bytes=max_line_bytes, kept_line_bytes=kept_line_bytes))
    assert lines == naive_lines(content, max_line_bytes, kept_line_bytes)


@given(CONTENTS, st.lists(st.integers(0, 60), max_size=12))
def test_lines_tile_the_content(content: bytes, cuts: list[int]) -> None:
    """Prevents a byte that belongs to no line, which no count of lines would ever show."""
    lines = list(iter_lines(cut(content, cuts)))
    ends = [0, *(line.offset + line.length for line in lines)]
    assert [line.offset for line in lines] == ends[:-1]
    assert ends[-1] == len(content)
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))


@given(CONTENTS, st.lists(st.integers(0, 60), max_size=12), st.sets(st.integers(1, 45), min_size=1))
def test_lines_at_some_numbers_are_those_of_all_lines(content: bytes, cuts: list[int], numbers: set[int]) -> None:
    """Prevents a line that is looked up alone from being another one than the reader read."""
    expected = [line for line in iter_lines([content]) if line.number in numbers]
    assert [*lines_at(cut(content, cuts), numbers)] == expected


@given(CONTENTS, st.lists(st.integers(0, 60), max_size=12))
def test_count_lines_agrees_with_iter_lines(content: bytes, cuts: list[int]) -> None:
    """Prevents a `not_read` count after LIMIT that differs from what reading on would have found."""
    assert count_lines(cut(content, cuts)) == len(naive_lines(content, MAX_LINE_BYTES, KEPT_LINE_BYTES))


@pytest.mark.parametrize(
    ("content", "bodies"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"\n\n", [b"", b""]),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"a\r\r\n", [b"a\r"]),
        (b"a\r", [b"a\r"]),
        (b"a\rb\n", [b"a\rb"]),
        (b"\r\n", [b""]),
        (
            "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg\n".encode(),
            ["a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg".encode()],
        ),
        (b"\xef\xbb\xbf{}\n", [b"\xef\xbb\xbf{}"]),
        (b"\xff\xfe\n\x00\n", [b"\xff\xfe", b"\x00"]),
    ],
)
def test_only_newline_ends_a_line(content: bytes, bodies: list[bytes]) -> None:
    """Prevents str.splitlines' idea of a line, which cuts records at U+2028 and others."""
    assert [line.body for line in iter_lines([content])] == bodies


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("chunk_bytes", [1 << 16, 1 << 20, 1 << 24])
def test_a_body_of_exactly_the_limit_is_whole_and_one_byte_more_is_not(ending: bytes, chunk_bytes: int) -> None:
    """Prevents an off-by-one in which the `\\r` of the terminator makes a whole line too long."""
    content = b"a" * MAX_LINE_BYTES + ending + b"b" * (MAX_LINE_BYTES + 1) + ending + b"c" + ending
    chunks = (content[start : start + chunk_bytes] for start in range(0, len(content), chunk_bytes))
    whole, longer, after = iter_lines(chunks)
    assert (len(whole.body), whole.is_too_long, whole.body_sha256) == (MAX_LINE_BYTES, False, None)
    assert longer == Line(
        2,
        MAX_LINE_BYTES + len(ending),
        MAX_LINE_BYTES + 1 + len(ending),
        b"b" * KEPT_LINE_BYTES,
        hashlib.sha256(b"b" * (MAX_LINE_BYTES + 1)).digest(),
        True,
    )
    assert after.body == b"c"


MEMORY_PROBE = """
import resource
from loader.reader import iter_lines
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
chunks = (b"x" * (1 << 20) for _ in range(512))
(line,) = iter_lines(chunks)
assert line.is_too_long and line.length == 512 << 20 and len(line.body) == 65536
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_line_of_512_mib_is_never_held_in_memory() -> None:
    """Prevents a file without a newline from taking all memory of the machine."""
    answer = subprocess.run(
        [sys.executable, "-c", MEMORY_PROBE],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(answer.stdout) * 1024 < 64 * 2**20


@pytest.mark.parametrize("body", [b"", b" ", b"\t", b"\r", b" \t\r "])
def test_json_white_space_is_blank(body: bytes) -> None:
    """Prevents a blank line from being rejected as malformed JSON."""
    assert is_blank(body)


@pytest.mark.parametrize("body", [b"{}", b" {", b"\x0b", b"\x0c", b"\x00", "\u00a0".encode(), "\ufeff".encode()])
def test_anything_else_is_not_blank(body: bytes) -> None:
    """Prevents a damaged line from vanishing among the blank ones."""
    assert not is_blank(body)
