"""PDF: pypdf counts the pages, pdfium counts them again and reads. The two share no code: a file on whose pages they
differ is one that two viewers show differently."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from loader.facts.libraries import hostile
from loader.facts.model import FactValue, RefusedFileError
from loader.facts.words import title_of

if TYPE_CHECKING:
    import pypdfium2

# Viewers look for the end in the last 1,024 bytes; some writers leave blanks or a signature after it.
_END_BYTES = 2**16


def read(file: BinaryIO) -> Mapping[str, FactValue]:
    """Pages, the words that pdfium finds on them, and the title that the file gives itself."""
    import pypdfium2

    _require_end(file)
    page_count = _counted(file)
    file.seek(0)
    with hostile("the PDF"), closing(pypdfium2.PdfDocument(file)) as document:
        # Before the text: a file that lies about a million pages is found without looking for each.
        if len(document) != page_count:
            raise RefusedFileError("unreadable_file", "two readers of PDF count different numbers of pages")
        title = title_of(document.get_metadata_value("Title"))
        word_count = sum(len(_text(document, number).split()) for number in range(page_count))
    return {"page_count": page_count, "word_count": word_count} | ({"title": title} if title else {})


def _require_end(file: BinaryIO) -> None:
    """A file that was cut off has no end; without one, a reader would look through all of it for objects."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END_BYTES))
    end = file.read()
    file.seek(0)
    if b"startxref" not in end or b"%%EOF" not in end:
        raise RefusedFileError("unreadable_file", "the PDF has no end: it was cut off, or something else follows it")


def _counted(file: BinaryIO) -> int:
    """The pages that pypdf finds. It also says what is encrypted: pdfium's last error may be that of another file."""
    import pypdf

    with hostile("the PDF", at_limit=(pypdf.errors.LimitReachedError,)):
        reader = pypdf.PdfReader(file)
        if reader.is_encrypted:
            raise RefusedFileError("encrypted_file", "the PDF is encrypted, with a password or without one")
        return len(reader.pages)


def _text(document: pypdfium2.PdfDocument, number: int) -> str:
    # Closed at once: thousands of open pages are what memory goes to.
    with closing(document[number]) as page, closing(page.get_textpage()) as text:
        return str(text.get_text_bounded())
