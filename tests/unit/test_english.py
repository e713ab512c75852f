"""Prose that people read, in pages, comments, docstrings, descriptions and messages: no sentence begins with a
preposition that makes its reader wait for what it is about."""

from __future__ import annotations

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkouts import ROOT

OPENINGS = ("Of", "But for", "Beside", "Besides")
_BEGINS = re.compile(rf"(?:^|[.!?:][*\"')]*\s+)[*\"'(]*((?:{'|'.join(OPENINGS)})\b(?! course)[^.]{{0,60}})")
# Where a new thought begins in a page: a paragraph, an item of a list, a cell of a table, a heading.
_BREAK = re.compile(r"\n\s*\n|\n\s*(?:[-*]|\d+\.|#+) |\|")
_SQL_COMMENT = re.compile(r"(?:^[ \t]*--.*\n?)+|\{#.*?#\}", re.MULTILINE | re.DOTALL)
# What a hash or a warehouse of then holds, and the examples below.
_LEFT_OUT = (
    "bench/floor_a/",
    "infra/postgres/migrations/",
    "tests/integration/older_warehouses/",
    "data/canonization/",
    "tests/unit/test_english.py",
)


def _pages(text: str) -> Iterator[str]:
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from _BREAK.split(f"\n{prose}")


def _comments(text: str, mark: str) -> Iterator[str]:
    """Each block of lines that are comments, as one text."""
    block: list[str] = []
    for line in [*text.splitlines(), ""]:
        bare = line.strip()
        if bare.startswith(mark):
            block.append(bare.lstrip(mark).strip())
        elif block:
            yield " ".join(block)
            block = []


def _python(text: str) -> Iterator[str]:
    yield from _comments(text, "#")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
    yield from _sql(text)


def _sql(text: str) -> Iterator[str]:
    for block in _SQL_COMMENT.findall(text):
        yield re.sub(r"^\s*--|\{#-?|-?#\}", " ", block, flags=re.MULTILINE)


def _yaml(text: str) -> Iterator[str]:
    yield from _comments(text, "#")
    # What stands behind a name, on its line or folded below it.
    yield from re.findall(r"(?:description|about|meaning|title): [\"']?(?:>-\n)?([^\n]*(?:\n {8,}[^\n]*)*)", text)


_READERS = {".md": _pages, ".py": _python, ".sql": _sql, ".yml": _yaml, ".toml": lambda text: _comments(text, "#")}


def faults(suffix: str, text: str) -> list[str]:
    """The beginnings of sentences that have one of OPENINGS, once each."""
    found = []
    for piece in _READERS[suffix](text):
        found += [match[1].strip() for match in _BEGINS.finditer(" ".join(piece.split()))]
    return list(dict.fromkeys(found))


def _files() -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [
        name
        for name in listed.splitlines()
        if Path(name).suffix in _READERS and not name.startswith(_LEFT_OUT) and (ROOT / name).is_file()
    ]


def test_no_sentence_begins_with_what_it_is_not_about() -> None:
    """Prevents prose that has to be read twice."""
    found = {name: faults(Path(name).suffix, (ROOT / name).read_text(encoding="utf-8")) for name in _files()}
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".md", "One.\n\nBut for two, all.\n"),
        (".md", "- Of which one."),
        (".md", "| a | Beside it |"),
        (".py", '"""Of which kind."""'),
        (".py", "x = 1  # Of one.\n"),
        (".py", "# One.\n# Two. Of\n# three.\n"),
        (".py", "raise ValueError('Besides, no.')\n"),
        (".sql", "-- One. But for\n-- two.\nselect 1\n"),
        (".sql", "{#- Of a kind. -#}\n"),
        (".yml", 'description: "Of volume: tickets."\n'),
        (".yml", "description: >-\n          One. Of\n          two.\n"),
    ],
)
def test_such_a_sentence_is_seen(suffix: str, text: str) -> None:
    """A check that passes on anything would be none."""
    assert faults(suffix, text) != []


def test_other_sentences_pass() -> None:
    """Words of the same letters, and the same words within a sentence, are nothing to forbid."""
    for text in ("Often. Of course. Offsets.", "All but for one, and of two, beside it."):
        assert faults(".md", text) == []
