"""Text from outside, made safe to look at and to paste: names of files, values of records, paths.

A terminal obeys what it is shown, and an operator pastes the line that begins with `next:`.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence

_COLOUR = re.compile("(\x1b\\[[0-9;]*m)")


def counted(count: int, one: str, several: str = "") -> str:
    """A count with its noun: "1 day", "1,305 files"."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def visible(text: str) -> str:
    """The text with what does not print, but for the ends of lines, as escapes: `\\x1b`, `\\u202e`."""
    if text.isprintable():
        return text
    return "".join(each if each == "\n" or each.isprintable() else _escape(each) for each in text)


def visible_in_colour(text: str) -> str:
    """The same for another program's output, whose colours stay."""
    parts = _COLOUR.split(text)
    return "".join(part if place % 2 else visible(part) for place, part in enumerate(parts))


def visible_without_colour(text: str) -> str:
    """The same where nothing shows colours."""
    return visible(_COLOUR.sub("", text))


def some(names: Sequence[str], shown: int = 5, separator: str = "; ", more: str = "more") -> str:
    """The first of them, and how many there are beyond."""
    beyond = f" and {len(names) - shown} {more}" if len(names) > shown else ""
    return separator.join(names[:shown]) + beyond


def in_one_line(text: str) -> str:
    """The same for a text that must not begin a new line or column: a cell, a line of a log."""
    return visible(text).replace("\n", "\\n")


def pasted(text: str | os.PathLike[str]) -> str:
    """The text as one word of a shell's command; what does not print is written as bash and zsh read it, `$'\\x1b'`."""
    word = os.fspath(text)
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped_byte_by_byte, word)) + "'"


def _escaped_byte_by_byte(character: str) -> str:
    if character.isprintable() and character not in "\\'":
        return character
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(character))


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
