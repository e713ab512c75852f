"""Documents: PDF by two judges, and pages of text that must be UTF-8."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import BinaryIO

from loader.facts import pages, pdf
from loader.facts.libraries import versions_of
from loader.facts.model import FactValue

_MODULES = {
    "pypdfium2": "pypdfium2",
    "pypdf": "pypdf",
    "selectolax.lexbor": "selectolax",
    "markdown_it": "markdown-it-py",
}


@cache
def prepare() -> Mapping[str, str]:
    """Import the libraries, and say which versions they have."""
    return versions_of(_MODULES)


def read(file: BinaryIO, asset_type: str) -> tuple[Mapping[str, FactValue], frozenset[str]]:
    """The facts of a document, and which of them are estimates."""
    if asset_type == "pdf":
        # A PDF has glyphs at places, and no words: where one ends is the library's judgement.
        return pdf.read(file), frozenset({"word_count"})
    return pages.read(file, asset_type), frozenset()
