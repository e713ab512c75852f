"""Failures by their reason: the sentence once, how many, the first names, what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loader.screen.table import listing
from loader.screen.terminal import Screen
from loader.screen.text import amount, cells, filled, paragraph

_NAMES_SHOWN = 3


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
