"""Plain text: its facts by the stated rules, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loader.bounds import MAX_TEXT_FILE_BYTES
from loader.facts import Facts, FactsDefect, read_facts_here


def read(folder: Path, content: bytes) -> Facts | FactsDefect:
    path = folder / "file"
    path.write_bytes(content)
    return read_facts_here(path, "text", "txt")


@pytest.mark.parametrize(
    ("text", "words", "characters", "lines"),
    [
        ("one", 1, 3, 1),
        ("one\n", 1, 4, 1),
        ("one\ntwo", 2, 7, 2),
        ("\n\n", 0, 2, 2),
        (" ", 0, 1, 1),
        # A line ends where one of the loader's own does, and nowhere else.
        ("a\r\nb\u2028c\x0cd\re\n", 5, 11, 2),
        ("日本 語\u00a0e\u0301\n", 3, 8, 1),
        ("\U0001f600", 1, 1, 1),
        ("\ufeff\ufeffone", 1, 4, 1),
        ("<!doctype html><p>a page, as text", 5, 33, 1),
    ],
)
def test_a_text_is_counted_by_words_characters_and_lines(
    tmp_path: Path, text: str, words: int, characters: int, lines: int
) -> None:
    """Prevents counts that a library, an editor and the loader disagree on. A byte order mark at the beginning is no
    character; a second one is."""
    found = read(tmp_path, text.encode())
    assert isinstance(found, Facts)
    counted = {"word_count": words, "character_count": characters, "line_count": lines}
    assert dict(found.values) == {"media_type": "text/plain", **counted}
    assert found.estimated == frozenset()


@pytest.mark.parametrize(
    ("content", "code", "words"),
    [
        (b"", "unreadable_file", "the file has no bytes"),
        ("Größe".encode("latin-1"), "not_utf8", "byte 3 of the text begins no UTF-8 character"),
        ("Größe".encode("utf-16"), "not_utf8", "byte 1 of the text begins no UTF-8 character"),
        ("size".encode("utf-16-le"), "not_utf8", "the text holds the byte 0"),
        (b"\xed\xa0\x80", "not_utf8", "byte 1 of the text"),
        (b"%PDF-1.4\n1 0 obj\n", "media_type_mismatch", "declared as txt"),
        (b"\x89PNG\r\n\x1a\n\x00", "media_type_mismatch", "declared as txt"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, code: str, words: str) -> None:
    """Prevents a guess at the encoding, and counts of something that nobody reads as text."""
    found = read(tmp_path, content)
    assert isinstance(found, FactsDefect)
    assert found.reason_code == code
    assert words in found.message


def test_a_text_that_is_too_large_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, MAX_TEXT_FILE_BYTES + 1)
    found = read_facts_here(path, "text", "txt")
    assert found == FactsDefect("facts_limit", "the text has more than 16,777,216 bytes")
