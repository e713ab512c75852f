"""Sentences on a screen: broken between words, never inside a name, an id or a command; ids as short as they may be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rich.cells import cell_len

from loader.screen.terminal import Screen, Tone

# A word, or a command between backticks.
_ATOM = re.compile(r"(?:`[^`]*`|[^\s`]|`)+")
# As many as a command that writes asks for (loader/runs/anchors.py): whatever is printed can be pasted anywhere.
SHORTEST = 13


def cells(text: str) -> int:
    """How many cells of a terminal the text takes: two for a wide character, none for a combining one."""
    return cell_len(text, "latest")


def padded(text: str, width: int, *, is_right: bool = False) -> str:
    space = " " * (width - cells(text))
    return space + text if is_right else text + space


def amount(screen: Screen, count: int, singular: str, plural: str = "") -> str:
    """A count with its noun: "1 day", "1,305 files"."""
    return f"{screen.words(count)} {singular if count == 1 else plural or singular + 's'}"


def atoms(text: str) -> list[str]:
    """What is not broken."""
    return _ATOM.findall(text)


def filled(parts: Iterable[str], width: int, *, between: str = " ") -> list[str]:
    """The parts in lines of at most `width` cells; a part that is wider has a line of its own."""
    lines: list[str] = []
    for part in parts:
        joined = f"{lines[-1]}{between}{part}" if lines else part
        if lines and cells(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(part)
    return lines


def paragraph(
    screen: Screen, text: str, *, indent: str = "", hanging: str | None = None, tone: Tone | None = None
) -> list[str]:
    """A text, each of its lines at the screen's width; what is continued begins with `hanging` (default: `indent`)."""
    lines = [screen.words(line) for line in text.split("\n")]
    return [screen.painted(line, tone) for each in lines for line in _folded(each, screen.width, hanging, indent)]


def _folded(line: str, width: int, hanging: str | None, indent: str) -> list[str]:
    if cells(indent + line) <= width:
        return [(indent + line).rstrip()]
    room = width - max(cells(indent), cells(indent if hanging is None else hanging))
    return _begun(filled(atoms(line), room), indent, hanging)


def _begun(lines: Sequence[str], indent: str, hanging: str | None) -> list[str]:
    further = indent if hanging is None else hanging
    return [(further if place else indent) + line for place, line in enumerate(lines)]


def spread(
    screen: Screen, parts: Sequence[str], *, indent: str = "", hanging: str | None = None, between: str = "   "
) -> list[str]:
    """Short facts beside each other, three cells apart; only one that is wider than the screen is broken, and continued
    two cells further in."""
    shown = [screen.words(part) for part in parts if part]
    room = screen.width - max(cells(indent), cells(indent if hanging is None else hanging))
    lines = [part for line in filled(shown, room, between=between) for part in _folded(line, room, "  ", "")]
    return _begun(lines, indent, hanging)


def next_lines(screen: Screen, command: str) -> list[str]:
    """The next command, in one line however long it is: it is pasted. Words behind `   # ` say why; where they do not
    fit beside it, they stand before it, so that the command is last."""
    typed, _, why = command.partition("   # ")
    line = f"next: {screen.words(typed.strip())}"
    reason = screen.words(why.strip())
    if not reason:
        return [line]
    if cells(line) + cells(reason) + 5 <= screen.width:
        return [line + screen.painted(f"   # {reason}", "quiet")]
    return [*paragraph(screen, f"why:  {reason}", hanging="      ", tone="quiet"), line]


def shortened(identity: str, among: Iterable[str] = ()) -> str:
    """The shortest prefix, of 13 characters, that no other id of `among` begins with; it ends in no hyphen."""
    others = [other for other in among if other != identity]
    for length in range(SHORTEST, len(identity)):
        prefix = identity[:length]
        if not prefix.endswith("-") and not any(other.startswith(prefix) for other in others):
            return prefix
    return identity
