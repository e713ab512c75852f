"""The committed corpus: what each file's facts are, and what another tool says of it.

In `corpus/facts.json`, `other` is what that tool printed when the file came into the corpus: the comparison does not
need it. `python -m tests.facts.table` writes the table of corpus/README.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from loader.facts import FACT_FIELDS, FactValue

CORPUS = Path(__file__).parent / "corpus"
PAGE = CORPUS / "README.md"
HEADING = "## The table\n"


@dataclass(frozen=True)
class Listed:
    """A file of the corpus with its facts, and with those that another tool read."""

    name: str
    reader: str
    asset_type: str
    values: dict[str, FactValue]
    estimated: frozenset[str]
    tool: str
    other: dict[str, FactValue]

    @property
    def path(self) -> Path:
        return CORPUS / self.name


def listed() -> list[Listed]:
    """In the order of the table."""
    return [
        Listed(
            each["file"],
            each["reader"],
            each["asset_type"],
            _typed(each["reader"], each["facts"]),
            frozenset(each["estimated"]),
            each["tool"],
            _typed(each["reader"], each["other"]),
        )
        for each in _read()["files"]
    ]


def versions() -> dict[str, str]:
    """The facts versions that the table is of."""
    found: dict[str, str] = _read()["versions"]
    return found


def _read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CORPUS / "facts.json").read_text("utf-8"))
    return found


def _typed(reader: str, values: dict[str, Any]) -> dict[str, FactValue]:
    """Decimals stand as text: JSON's numbers have no scale."""
    return {name: Decimal(value) if FACT_FIELDS[reader][name] is Decimal else value for name, value in values.items()}


def shown() -> str:
    """The table as people read it: what each file's facts are, and what the other tool says where it says otherwise."""
    lines = ["| file | facts | another tool |", "|---|---|---|"]
    for each in listed():
        facts = ", ".join(
            f"{name} {value}{' (estimate)' if name in each.estimated else ''}"
            for name, value in each.values.items()
            if name != "media_type"
        )
        differing = [f"{name} {value}" for name, value in each.other.items() if value != each.values[name]]
        agreed = f"{each.tool}: " + ", ".join([f"the same {len(each.other) - len(differing)}", *differing])
        lines.append(f"| `{each.name}` | {facts} | {agreed if each.other else each.tool} |")
    return "\n".join(lines) + "\n"


def in_page(page: str) -> str:
    """The page with the table in its place, after its heading."""
    begin, heading, _ = page.partition(HEADING)
    return f"{begin}{heading}\n{shown()}"


if __name__ == "__main__":
    PAGE.write_text(in_page(PAGE.read_text("utf-8")), "utf-8")
