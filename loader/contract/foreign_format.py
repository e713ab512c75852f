"""What a line is that is no line of JSON at all: another encoding, compressed bytes, a part of one long document.

Whoever delivers such a file learns from its first reject what it is. A line is judged by its own bytes, as everywhere.
"""

from __future__ import annotations

import re

UTF16_TEXT = "utf16_text"
COMPRESSED_CONTENT = "compressed_content"
JSON_DOCUMENT = "json_document"
FOREIGN_CODES = frozenset({UTF16_TEXT, COMPRESSED_CONTENT, JSON_DOCUMENT})

# By the name under which iconv reads the mark itself. The longer marks first: one begins as a shorter does.
_BYTE_ORDER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32",
    b"\x00\x00\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# Fewer bytes tell nothing for sure.
_TELLING_BYTES = 8
# Where a tar archive's first header says so; before it stand the first file's name and zeros.
_TAR_AT, _TAR = 257, b"ustar"
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
_A_LINE_EACH = "expected one object a line: jq -c '.[]' writes an array's items so"
ONE_ARRAY = f"one JSON array, {_A_LINE_EACH}"
_SEVERAL_LINES = f"a JSON document of several lines, {_A_LINE_EACH}"


def foreign_bytes(line: bytes) -> tuple[str, str] | None:
    """Reason code and message of a line whose bytes are no UTF-8 JSON's; None for most lines, broken ones included.

    In UTF-16 and UTF-32 every ASCII character brings zero bytes, and a record has mostly ASCII; UTF-8 has none.
    """
    for magic, name in _MAGIC.items():
        if line.startswith(magic):
            return COMPRESSED_CONTENT, f"the line begins as {name} does, expected text: decompress the file"
    if line.startswith(_TAR, _TAR_AT):
        return COMPRESSED_CONTENT, "the line begins as tar does, expected text: unpack the file"
    for mark, name in _BYTE_ORDER_MARKS.items():
        if line.startswith(mark):
            return UTF16_TEXT, f"the text is {name}, expected UTF-8: iconv -f {name} -t UTF-8"
    zero_count = line.count(0)
    if not zero_count or zero_count * 4 < len(line):
        return None
    if len(line) < _TELLING_BYTES:
        return UTF16_TEXT, "the text is UTF-16 or UTF-32, expected UTF-8: the file's first line tells which"
    # Half of UTF-16's bytes at most are zero, where no character is. A line feed's own zero bytes stand at the
    # beginning of the next line where its first byte is the lower one: that line looks as of the other order.
    name = f"UTF-{32 if zero_count * 5 >= len(line) * 3 else 16}{'LE' if line[0] else 'BE'}"
    return UTF16_TEXT, (
        f"the text is {name} if this is the file's first line, else what that one is, expected UTF-8:"
        f" iconv -f {name} -t UTF-8"
    )


def begins_document(text: str, value: object = None) -> str | None:
    """The message for a text that is one JSON document, or begins one that goes on in the next line; else None.

    `value`: what the text holds, None when it is no JSON by itself.
    """
    if isinstance(value, list):
        # An array around one record is a slip of that line.
        return ONE_ARRAY if len(value) > 1 and all(isinstance(item, dict) for item in value) else None
    return _SEVERAL_LINES if value is None and _BEGINS_DOCUMENT.match(text) else None
