"""Reports as Markdown, with a JSON file of the same content beside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loader.report_files import write_file, write_json


def write_report(path: Path, markdown: str, record: Mapping[str, Any]) -> tuple[Path, Path]:
    """Write `path` with `.md` and with `.json`; returns both. Raises InfrastructureError for a fault of the disk."""
    text, data = path.with_name(path.name + ".md"), path.with_name(path.name + ".json")
    write_file(text, markdown.encode())
    write_json(data, record)
    return text, data


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of one shape as a Markdown table; "none" for no rows. Names of files and reasons come from outside."""
    if not rows:
        return "none\n"
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(_cell(value) for value in line)} |\n" for line in lines)


def _cell(value: Any) -> str:
    text = "" if value is None else ("yes" if value else "no") if isinstance(value, bool) else str(value)
    for character in "\\`*[]<>|&":
        text = text.replace(character, "\\" + character)
    for link in ("://", "www.", "@"):
        # Many viewers make a link of a bare address.
        text = text.replace(link, link[:-1] + "\\" + link[-1] if link == "www." else "\\" + link)
    return "".join(character if character.isprintable() else " " for character in text)
