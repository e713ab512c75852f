"""The surface that is drawn on: how wide it is, what it can show, and how a value reads on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import IO, Any, Literal

from loader.printable import in_one_line

Tone = Literal["good", "bad", "look", "quiet", "strong"]

DEFAULT_WIDTH = 80
# Narrower, nothing is readable anyway.
_NARROWEST = 40

_CODES: Mapping[Tone, str] = {"good": "32", "bad": "1;31", "look": "33", "quiet": "2", "strong": "1"}

# What stands for the project's own signs where the encoding lacks them.
_PLAIN = {
    "■": "#", "□": "o", "✓": "+", "✗": "x", "◔": "~", "◐": "=", "·": "-", "…": "...", "→": "->", "−": "-", "–": "-",
    "—": "-", "×": "x", "≤": "<=", "≥": ">=", "’": "'", "“": '"', "”": '"',
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mark:
    """A value that has a colour where there is any; its words say the same without."""

    value: object
    tone: Tone


@dataclass(frozen=True, slots=True)
class Screen:
    """`width` in cells. `is_terminal`: something may be drawn over; through a pipe every line stays."""

    width: int = DEFAULT_WIDTH
    has_colour: bool = False
    is_terminal: bool = False
    encoding: str = "utf-8"

    def words(self, value: object) -> str:
        """A value as text of one line that the encoding takes: numbers with thousands, instants in UTC to the second,
        nothing for None; what a terminal would obey is shown, not done."""
        text = in_one_line(_spoken(value.value if isinstance(value, Mark) else value))
        if text.isascii():
            return text
        return "".join(each if self._takes(each) else _PLAIN.get(each, _escape(each)) for each in text)

    def painted(self, text: str, tone: Tone | None) -> str:
        return f"\x1b[{_CODES[tone]}m{text}\x1b[0m" if tone and text and self.has_colour else text

    def _takes(self, character: str) -> bool:
        try:
            character.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return False
        return True


def screen_of(stream: IO[Any], environment: Mapping[str, str] | None = None) -> Screen:
    """What `stream` can show now. A pipe is 80 cells wide unless COLUMNS says otherwise; colour is for a terminal only,
    and not with NO_COLOR or TERM=dumb."""
    variables = os.environ if environment is None else environment
    is_terminal = stream.isatty()
    is_dumb = variables.get("TERM") == "dumb"
    return Screen(
        width=max(_columns(variables) or (_cells(stream) if is_terminal else 0) or DEFAULT_WIDTH, _NARROWEST),
        has_colour=is_terminal and not is_dumb and not variables.get("NO_COLOR"),
        is_terminal=is_terminal and not is_dumb,
        encoding=getattr(stream, "encoding", None) or "utf-8",
    )


def _columns(variables: Mapping[str, str]) -> int:
    text = variables.get("COLUMNS", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _cells(stream: IO[Any]) -> int:
    """0 where the terminal does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


def _spoken(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _escape(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode()
