"""The same facts by other programs, which share no code with the loader's libraries. None of them is needed: what they
said of the corpus is committed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from loader.facts import FactValue

Values = dict[str, FactValue]


def _said(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, check=True, encoding="utf-8").stdout


def poppler(path: Path) -> Values:
    """A PDF by pdfinfo and pdftotext."""
    said = dict(re.findall(r"^(\w+): +(.*)$", _said("pdfinfo", "-enc", "UTF-8", path), re.MULTILINE))
    values: Values = {"page_count": int(said["Pages"]), "word_count": len(_said("pdftotext", path, "-").split())}
    return values | ({"title": said["Title"]} if said.get("Title") else {})


TOOLS: dict[str, tuple[str, Callable[[Path], Values]]] = {
    "poppler": ("pdfinfo", poppler),
}


def is_here(tool: str) -> bool:
    return shutil.which(TOOLS[tool][0]) is not None
