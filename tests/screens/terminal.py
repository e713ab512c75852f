"""A terminal in memory: what a person sees of a command, at a width, and what a program reads through a pipe."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pyte
import pytest
from rich.cells import cell_len

_HEIGHT = 400
_ESCAPE = re.compile("\x1b\\[[0-9;?]*[a-zA-Z]")


class Stream(io.TextIOWrapper):
    """Standard output and standard error of a command, together and in their order."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", errors="backslashreplace", write_through=True)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    @property
    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


@contextmanager
def streams(width: int, *, is_terminal: bool) -> Iterator[Stream]:
    """What is written in this block goes to the stream; `width` as a terminal tells it, and as a shell sets it."""
    stream = Stream(is_terminal=is_terminal)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(width))
        patch.setenv("TERM", "xterm-256color")
        patch.delenv("NO_COLOR", raising=False)
        patch.setattr(sys, "stdout", stream)
        patch.setattr(sys, "stderr", stream)
        yield stream


def seen(text: str, width: int) -> list[str]:
    """The lines that a terminal of this width shows for what was written to it; a longer one is broken by it."""
    screen = pyte.Screen(width, _HEIGHT)
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    # The cell behind a wide character is empty.
    shown = ["".join(screen.buffer[row][column].data for column in range(width)).rstrip() for row in range(_HEIGHT)]
    while shown and not shown[-1]:
        shown.pop()
    assert len(shown) < _HEIGHT
    return shown


def without_colour(text: str) -> str:
    return _ESCAPE.sub("", text)


def cells(line: str) -> int:
    return cell_len(line)


def masked(text: str) -> str:
    """What differs from run to run, as something of the same width: this is the one place that knows what does."""
    today = datetime.now(UTC).date()
    days = "|".join(str(today - timedelta(days=back)) for back in (0, 1))
    text = re.sub(rf"(?:{days})(?=([ T])?)", "2026-00-00", text)
    text = re.sub(r"(2026-00-00[ T])\d\d:\d\d(:\d\d)?", lambda hit: hit[1] + "00:00" + (":00" if hit[2] else ""), text)
    text = re.sub(r"\d{8}T\d{6}Z", "20260000T000000Z", text)
    text = re.sub(r"/tmp/omni-[a-z0-9_]{8}", "/tmp/omni-xxxxxxxx", text)
    text = re.sub(r"\bomni_test_\d+", "omni_test_00000", text)
    text = re.sub(r"\b[0-9a-f]{64}\b", "x" * 64, text)
    return re.sub(r"\b(?=[0-9a-f]*\d)[0-9a-f]{12}…", "x" * 12 + "…", text)
