"""Plain text: UTF-8, and how many words, characters and lines it has.

Words are what white space (Unicode's) separates, characters are code points, and a line ends where one of the loader's
own does: at a line feed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import BinaryIO

from loader.bounds import MAX_TEXT_FILE_BYTES
from loader.facts.model import FactValue, RefusedFileError


def prepare() -> Mapping[str, str]:
    """No library reads it."""
    return {}


def read(file: BinaryIO, asset_type: str) -> tuple[Mapping[str, FactValue], frozenset[str]]:
    """The facts of a text, of which none is an estimate."""
    text = text_of(file)
    line_count = text.count("\n") + (text[-1:] not in ("", "\n"))
    return {"word_count": len(text.split()), "character_count": len(text), "line_count": line_count}, frozenset()


def text_of(file: BinaryIO) -> str:
    """The text without a byte order mark. Raises RefusedFileError where it is none, or too large."""
    content = file.read(MAX_TEXT_FILE_BYTES + 1)
    if len(content) > MAX_TEXT_FILE_BYTES:
        raise RefusedFileError("facts_limit", f"the text has more than {MAX_TEXT_FILE_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RefusedFileError("not_utf8", f"byte {error.start + 1:,} of the text begins no UTF-8 character") from error
    if "\0" in text:
        raise RefusedFileError("not_utf8", "the text holds the byte 0, as text in UTF-16 or no text at all does")
    return text
