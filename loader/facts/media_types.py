"""What kind of file the first bytes say it is. The declaration decides; bytes may only contradict it.

A list of our own and not a library's: the largest ones know hundreds of weak signs, and a page of text that begins with
one of them would be refused.
"""

from __future__ import annotations

import re

# The media type of each asset type that has facts, and the reader that knows it.
MEDIA_TYPES = {
    "document": {"pdf": "application/pdf", "html": "text/html", "markdown": "text/markdown"},
    "audio": {"wav": "audio/wav", "mp3": "audio/mpeg", "ogg": "audio/ogg"},
    "video": {"mp4": "video/mp4", "webm": "video/webm"},
    "image": {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"},
    "text": {"txt": "text/plain"},
}
HEAD_BYTES = 4096

# Bytes of a bit rate and a sample rate that MP3 has.
_RATES = b"".join(re.escape(bytes([byte])) for byte in range(0x10, 0xF0) if byte & 0x0C != 0x0C)
# Where no type is known, a name of our own. The first that fits counts.
_BINARY = tuple(
    (media_type, re.compile(sign, re.DOTALL))
    for media_type, sign in (
        ("application/pdf", rb"%PDF-\d"),
        ("image/png", rb"\x89PNG\r\n\x1a\n"),
        ("image/jpeg", rb"\xff\xd8\xff"),
        ("image/gif", rb"GIF8[79]a"),
        ("image/webp", rb"RIFF.{4}WEBP"),
        ("image/tiff", rb"II\x2a\x00|MM\x00\x2a"),
        ("audio/wav", rb"(?:RIFF|RF64|RIFX).{4}WAVE"),
        ("video/x-msvideo", rb"RIFF.{4}AVI "),
        ("audio/flac", rb"fLaC"),
        ("audio/ogg", rb"OggS"),
        # Version 1, 2 or 2.5, layer III.
        ("audio/mpeg", rb"ID3[\x02-\x04]|\xff[\xe2\xe3\xf2\xf3\xfa\xfb][" + _RATES + b"]"),
        ("audio/aac", rb"\xff[\xf0\xf1\xf8\xf9]"),
        ("audio/mp4", rb".{4}ftypM4[AB] "),
        ("video/quicktime", rb".{4}ftypqt  "),
        ("image/heif", rb".{4}ftyp(?:hei[cs]|mif1|avi[fs])"),
        ("video/mp4", rb".{4}ftyp"),
        ("video/webm", rb"\x1a\x45\xdf\xa3.{0,64}webm"),
        ("video/x-matroska", rb"\x1a\x45\xdf\xa3"),
        ("application/zip", rb"PK\x03\x04"),
        ("application/gzip", rb"\x1f\x8b\x08"),
        ("application/msword", rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    )
)
# What text says of itself: a page may well speak of a file's first bytes, so a whole line is asked for.
_TEXT = (
    ("application/pdf", re.compile(rb"%PDF-\d\.\d *[\r\n]")),
    (
        "text/html",
        re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)[\s>]", re.I | re.DOTALL),
    ),
)


def media_type_of(reader: str, asset_type: str) -> str:
    """The media type that is declared; KeyError where no reader knows the asset type."""
    return MEDIA_TYPES[reader][asset_type]


def sniffed(head: bytes) -> str | None:
    """What the first HEAD_BYTES are; None where nothing is sure."""
    signs = _TEXT if _is_text(head) else (*_BINARY, *_TEXT)
    return next((media_type for media_type, sign in signs if sign.match(head)), None)


def contradicts(declared: str, head: bytes) -> bool:
    """Whether a file of the declared type cannot begin like this."""
    found = sniffed(head)
    if found is None or found == declared:
        return False
    # Text of any kind may be about HTML.
    return not (declared == "text/plain" and found == "text/html")


def needs_its_sign(declared: str) -> bool:
    """Whether a file of the type always begins with its sign. So no library is given what it may take for a list of
    other files; a PDF or an MP3 may have something before it."""
    return declared.split("/")[0] in ("audio", "video", "image") and declared != "audio/mpeg"


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A character may be cut where the head ends.
        return error.start >= HEAD_BYTES - 3 and error.reason == "unexpected end of data"
    return True
