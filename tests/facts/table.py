"""The committed corpus: what each file's facts are, and what another tool says of it.

In `corpus/facts.json`, `other` is what that tool printed when the file came into the corpus: the comparison does not
need it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from loader.facts import FACT_FIELDS, FactValue

CORPUS = Path(__file__).parent / "corpus"


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
