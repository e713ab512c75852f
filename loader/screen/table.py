"""Rows in columns of plain text. Without titles, a sentence that has no room beside its row stands below it; any other
table that does not fit turns into a list. Nothing is cut.

Failures are such a list, by their reason: the sentence once, how many, the first names, what mends it. Days are strips
of months: a sign a day, weeks of seven from the first of the month, and what the signs mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from loader.screen.terminal import Mark, Screen, Tone
from loader.screen.text import amount, atoms, cells, filled, padded, paragraph

# Between columns with titles, and between facts beside each other.
_NARROW, _WIDE = "  ", "   "
# A narrower column of sentences is a tower of words.
_LEAST_PROSE = 20
_NAMES_SHOWN = 3
_NOTHING = " "
_DAYS_OF_A_GROUP = 7
_INDENT = len("2026-03   ")
_WIDEST = _INDENT + 31 + 4


@dataclass(frozen=True, slots=True)
class Column:
    """`is_prose`: sentences, which may be continued on the next line; anything else stays whole."""

    title: str = ""
    is_prose: bool = False


@dataclass(frozen=True, slots=True)
class _Cell:
    text: str
    tone: Tone | None
    is_number: bool


@dataclass(frozen=True, slots=True)
class _Layout:
    """Widths in cells; the prose column, if any, is the last one and takes what is left."""

    screen: Screen
    indent: str
    gap: str
    widths: Sequence[int]
    is_right: Sequence[bool]
    has_prose: bool


def table(
    screen: Screen, rows: Sequence[Sequence[object]], columns: Sequence[Column | str] = (), *, indent: str = ""
) -> list[str]:
    """Rows under the titles of their columns, or without any title; no row, no line. Numbers stand at the right. Only
    the last column may be prose, and is where no columns are named."""
    if not rows:
        return []
    named = [each if isinstance(each, Column) else Column(each) for each in columns]
    found = [[_cell(screen, value) for value in row] for row in rows]
    count = max(map(len, found))
    found = [[*row, *[_Cell("", None, False)] * (count - len(row))] for row in found]
    titles = [_Cell(screen.words(each.title), "quiet", False) for each in named]
    drawn = [titles, *found] if any(cell.text for cell in titles) else found
    layout = _Layout(
        screen,
        indent,
        _WIDE if drawn is found else _NARROW,
        [max(cells(row[place].text) for row in drawn) for place in range(count)],
        [_are_numbers(row[place] for row in found) for place in range(count)],
        named[-1].is_prose if named else True,
    )
    left = screen.width - _start_of_last(layout)
    # Below a row with titles, a sentence would stand in no column.
    least = 0 if drawn is found else _LEAST_PROSE
    if layout.widths[-1] <= left or (layout.has_prose and left >= least):
        return [line for row in drawn for line in _row(layout, row)]
    return _as_list(screen, [each.title for each in named], found, indent)


def listing(screen: Screen, rows: Sequence[tuple[object, str]], *, indent: str = "  ") -> list[str]:
    """Words, and beside each a text that is continued below itself."""
    return table(screen, rows, indent=indent)


def _cell(screen: Screen, value: object) -> _Cell:
    plain, tone = (value.value, value.tone) if isinstance(value, Mark) else (value, None)
    is_number = isinstance(plain, int | float) and not isinstance(plain, bool)
    return _Cell(screen.words(plain), tone, is_number)


def _are_numbers(column: Iterable[_Cell]) -> bool:
    known = [cell.is_number for cell in column if cell.text]
    return bool(known) and all(known)


def _start_of_last(layout: _Layout) -> int:
    return cells(layout.indent) + sum(width + len(layout.gap) for width in layout.widths[:-1])


def _row(layout: _Layout, row: Sequence[_Cell]) -> list[str]:
    screen, last = layout.screen, row[-1]
    begin = layout.indent + "".join(
        screen.painted(padded(cell.text, width, is_right=right), cell.tone) + layout.gap
        for cell, width, right in zip(row[:-1], layout.widths, layout.is_right, strict=False)
    )
    start = _start_of_last(layout)
    left = screen.width - start
    if cells(last.text) <= left:
        text = padded(last.text, layout.widths[-1], is_right=True) if layout.is_right[-1] else last.text
        return [(begin + screen.painted(text, last.tone)).rstrip()]
    words = atoms(last.text)
    if left >= _LEAST_PROSE and max(map(cells, words)) <= left:
        lines = filled(words, left)
        below = " " * start
        return [(below if place else begin) + screen.painted(line, last.tone) for place, line in enumerate(lines)]
    # A name in it is wider than the column, or the column is a tower: the whole text stands below, with more room.
    below = layout.indent + "    "
    return [*filter(None, [begin.rstrip()]), *paragraph(screen, last.text, indent=below, tone=last.tone)]


def _as_list(screen: Screen, titles: Sequence[str], rows: Sequence[Sequence[_Cell]], indent: str) -> list[str]:
    """Each row as its first cell and, below it, the others with their titles, as many to a line as fit."""
    lines = []
    for first, *others in rows:
        lines.append(indent + screen.painted(first.text, first.tone))
        named = zip(titles[1:] or [""] * len(others), others, strict=True)
        pairs = [f"{title} {cell.text}".strip() for title, cell in named if cell.text]
        below = indent + "    "
        for line in filled(pairs, screen.width - cells(below), between=_WIDE):
            lines += paragraph(screen, line, indent=below)
    return lines


@dataclass(frozen=True, slots=True)
class Failure:
    """`code` and `sentence`: why; `name`: what it happened to; `mend`: what allows or mends it, a sentence."""

    code: str
    sentence: str
    name: str = ""
    mend: str = ""


def failures(screen: Screen, found: Sequence[Failure], *, noun: str = "file", indent: str = "  ") -> list[str]:
    """One entry for each reason, the most frequent first; of equal ones the first met."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for each in found:
        groups.setdefault((each.code, each.sentence, each.mend), []).append(each.name)
    lines = []
    for (code, sentence, mend), names in sorted(groups.items(), key=lambda group: -len(group[1])):
        text = f"{sentence} {mend}".strip()
        lines += listing(screen, [(code, text)], indent=indent) if code else paragraph(screen, text, indent=indent)
        lines += _names(screen, names, noun, indent)
    return lines


def _names(screen: Screen, names: Sequence[str], noun: str, indent: str) -> list[str]:
    """How many, and the first different names; none of them is broken."""
    different = list(dict.fromkeys(filter(None, names)))
    shown = [screen.words(name) for name in different[:_NAMES_SHOWN]]
    if not shown:
        return [f"{indent}{screen.words(len(names))} times"] if len(names) > 1 else []
    more = screen.words(", …") if len(different) > len(shown) else ""
    parts = [f"{amount(screen, len(names), noun)}:", *(f"{name}," for name in shown[:-1]), shown[-1] + more]
    lines = filled(parts, screen.width - cells(indent) - 2)
    return [indent + ("  " if place else "") + line for place, line in enumerate(lines)]


@dataclass(frozen=True, slots=True)
class Sign:
    """One character, what it means in words, and its colour."""

    symbol: str
    words: str
    tone: Tone | None = None


def calendar(screen: Screen, days: Mapping[date, Sign], months: Sequence[date]) -> list[str]:
    """A line for each of `months` (their first days), then the meaning of each sign that stands there: beside the last
    strip where there is room, else below. A day that is not in `days` is a blank."""
    lines = [_strip(screen, days, month) for month in months]
    if not lines:
        return []
    used = dict.fromkeys(sign for day, sign in sorted(days.items()) if day.replace(day=1) in months)
    meanings = {f"{screen.words(sign.symbol)} {screen.words(sign.words)}": sign.tone for sign in used}
    beside, (last, width) = _WIDEST + 3, lines[-1]
    if beside + cells("  ".join(meanings)) <= screen.width:
        last += " " * (beside - width) + "  ".join(screen.painted(text, tone) for text, tone in meanings.items())
        return [*(text for text, _ in lines[:-1]), last]
    below = filled(meanings, screen.width - _INDENT, between="  ")
    return [*(text for text, _ in lines), *(" " * _INDENT + line for line in below)]


def _strip(screen: Screen, days: Mapping[date, Sign], month: date) -> tuple[str, int]:
    """The line, and how many cells it takes."""
    known = [day.day for day in days if (day.year, day.month) == (month.year, month.month)]
    text, width = f"{month:%Y-%m}   ", _INDENT
    for number in range(1, max(known, default=0) + 1):
        sign = days.get(month.replace(day=number))
        if number > 1 and number % _DAYS_OF_A_GROUP == 1:
            text, width = text + " ", width + 1
        symbol = screen.words(sign.symbol if sign else _NOTHING)
        text, width = text + screen.painted(symbol, sign.tone if sign else None), width + cells(symbol)
    return text, width
