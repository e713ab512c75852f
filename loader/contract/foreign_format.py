"""What a line is that is no line of JSON at all: another encoding, compressed bytes, a part of one long document.

Whoever delivers such a file learns from its first reject what it is. A line is judged by its own bytes, as everywhere.
"""

from __future__ import annotations

import re

UTF16_TEXT = "utf16_text"
COMPRESSED_CONTENT = "compressed_content"
JSON_DOCUMENT = "json_document"
FOREIGN_CODES = frozenset({UTF16_TEXT, COMPRESSED_CONTENT, JSON_DOCUMENT})

_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
# The first bytes of compressed files, by the names that people know.
_MAGIC = {
    b"\x1f\x8b": "gzip (once more than the file's own)",
    b"PK\x03\x04": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"\x04\x22\x4d\x18": "lz4",
}
# A bracket alone, an array's first record, or a name before a bracket: `{"tickets": [`.
_BEGINS_DOCUMENT = re.compile(r'\s*(?:[\[{]\s*$|\[\s*\{|\{\s*"[^"]*"\s*:\s*[\[{]\s*$)')
_DOCUMENT = (
    "a JSON array or object of several lines, expected one object a line: jq -c '.[]' writes an array's items so"
)


def foreign_bytes(line: bytes) -> tuple[str, str] | None:
    """Reason code and message of a line whose bytes are no UTF-8 JSON's; None for most lines, broken ones included.

    In UTF-16 and UTF-32 every ASCII character brings zero bytes, and a record has mostly ASCII; UTF-8 has none.
    """
    for magic, name in _MAGIC.items():
        if line.startswith(magic):
            return COMPRESSED_CONTENT, f"the line begins as {name} does, expected text: decompress the file"
    if line.startswith(_BYTE_ORDER_MARKS) or (0 in line and line.count(0) * 4 >= len(line)):
        return UTF16_TEXT, "the text is UTF-16 or UTF-32, expected UTF-8: iconv -f UTF-16 -t UTF-8"
    return None


def begins_document(text: str, value: object = None) -> str | None:
    """The message for a text that is one JSON document, or begins one that goes on in the next line; else None.

    `value`: what the text holds, None when it is no JSON by itself.
    """
    if isinstance(value, list):
        # An array around one record is a slip of that line.
        return _DOCUMENT if len(value) > 1 and all(isinstance(item, dict) for item in value) else None
    return _DOCUMENT if value is None and _BEGINS_DOCUMENT.match(text) else None
