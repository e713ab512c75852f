"""What the first bytes say: they contradict a declaration where they are sure, and never a page that speaks of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.facts import FactsDefect, read_facts_here
from loader.facts.media_types import HEAD_BYTES, contradicts, sniffed
from tests.facts import pdf_making as making

HTML = b"<!-- a page -->\n<!DOCTYPE html><title>x</title>"


@pytest.mark.parametrize(
    ("content", "asset_type"),
    [
        (HTML, "pdf"),
        (HTML, "markdown"),
        (b"\xef\xbb\xbf\n<HTML lang=de>", "pdf"),
        (b"PK\x03\x04\x14\x00\x06\x00", "pdf"),
        (making.pages_of(["words"]), "html"),
        (making.pages_of(["words"]), "markdown"),
        (b"\x89PNG\r\n\x1a\n\x00", "markdown"),
    ],
)
def test_a_document_that_begins_as_another_type_is_refused(tmp_path: Path, content: bytes, asset_type: str) -> None:
    """Prevents an export of an error page, named as the PDF that was asked for, from being a document."""
    path = tmp_path / "file"
    path.write_bytes(content)
    answer = read_facts_here(path, "document", asset_type)
    assert isinstance(answer, FactsDefect)
    assert answer.reason_code == "media_type_mismatch"


@pytest.mark.parametrize("media_type", ["text/html", "text/markdown", "text/plain"])
@pytest.mark.parametrize(
    "text",
    [
        "GIF89a is a format of images.",
        "ID3\x02 tags",
        "%PDF-1.7 files begin with these bytes, and others follow.",
        "RIFF: a list of chunks. WAVE",
        "BM is a sign of bitmaps",
        "OggS and fLaC are signs, too",
        "II*, or MM\x00",
        "PK\x03\x04",
        "<p>a paragraph",
        "<htmlish>",
        "---\ntitle: x\n---\n# Heading",
        "{\\rtf1 is how it begins",
        "日" * HEAD_BYTES,
        "GIF89a".ljust(HEAD_BYTES - 1) + "é",
    ],
)
def test_text_about_formats_is_text(media_type: str, text: str) -> None:
    """Prevents a page that explains a format from being refused as a file of it."""
    assert not contradicts(media_type, text.replace("\x00", "").encode()[:HEAD_BYTES])


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xf3\x18\xc4", "audio/mpeg"),
        (b"ID3\x04\x00\x00", "audio/mpeg"),
        (b"\xff\xfb\x9c\x00", None),
        (b"\xff\xfe<\x00h\x00", None),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"RIFF\x24\x00\x00\x00AVI LIST", "video/x-msvideo"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"\x00\x00\x00\x18ftypisom", "video/mp4"),
        (b"\x00\x00\x00\x14ftypqt  ", "video/quicktime"),
        (b"\x00\x00\x00\x1cftypM4A ", "audio/mp4"),
        (b"\x00\x00\x00\x1cftypheic", "image/heif"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska", "video/x-matroska"),
        (b"plain words", None),
        (b"", None),
    ],
)
def test_each_sign_names_one_type(head: bytes, media_type: str | None) -> None:
    assert sniffed(head) == media_type
