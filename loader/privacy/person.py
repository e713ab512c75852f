"""Whose a line is: the ids of the persons that it may belong to, read as widely as a line can be broken; a person's
lines in a content, and the same content with blanks in their place.

Its kind says which field stands for a person. The same line under another kind may be somebody else's, or nobody's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Any

import orjson

from loader.contract import strings_of
from loader.kinds import Field
from loader.reader import Line, iter_lines

# What may be an id in a line that is no JSON: a quoted text, or letters, digits and the like between anything else.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WORDS = (re.compile(r"[\w@.:+/-]+"), re.compile(r"[\w@.+-]+"), re.compile(r"[\w-]+"))
# Cyrillic and Greek letters that are drawn as Latin ones, after case is folded.
_SAME_SHAPE = str.maketrans("авекмнорстухѕіјԁԛԝαβεικμνορτυχ", "abekmhopctyxsijdqwabeikuvoptux")
# Only the first 64 KiB of a longer line are searched. The reader rejects lines of more than 10 MiB.
SEARCHED_LINE_BYTES = 256 * 1024 * 1024


def owners(body: bytes, person: Field | None) -> frozenset[str]:
    """The persons whom a line, without its terminator, belongs to; `person`: the field of its kind that says so.

    None: nobody. A JSON object belongs to the text of that field, to every one where it stands twice. Where the kind
    lets the field be absent or null, such an object belongs to nobody. Any other object without it, or with a number
    there, belongs to all texts and numbers in it, and a line that is no JSON to all texts and words: who is named there
    cannot be told from whose it is, and what is kept too long is worse than a broken line that is lost.
    """
    if person is None:
        return frozenset()
    field = person.name
    written, body = body, _letters(body)
    # One mention of the field, unescaped: the parser's value is the only one.
    if body.count(b'"%s"' % field.encode()) == 1 and b"\\u" not in body:
        # What one parser does not read, a number beyond any float for one, the other may.
        with suppress(orjson.JSONDecodeError):
            record = orjson.loads(body)
            if isinstance(record, dict) and isinstance(record.get(field), str):
                return frozenset((record[field],))
    outermost: list[tuple[str, Any]] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        outermost[:] = pairs  # the outermost object is collected last
        return dict(pairs)

    try:
        value = json.loads(body, object_pairs_hook=note, parse_int=_Digits, parse_float=_Digits)
        said = [each for name, each in outermost if name == field] if isinstance(value, dict) else []
        named = frozenset(str(each) for each in said if isinstance(each, str))
        if any(isinstance(each, str) and not isinstance(each, _Digits) for each in said):
            return named
        if isinstance(value, dict) and not person.is_required and all(each is None for each in said):
            return frozenset()
        return frozenset(str(text) for _, text in strings_of(value))
    except (ValueError, RecursionError):
        return _words(written)


def owners_of_whatever_kind(body: bytes, persons: Sequence[Field | None]) -> frozenset[str]:
    """The owners of a line whose kind nobody knows: by the kinds whose field it has; if it has none, by all."""
    named = [person for person in persons if person is not None and b'"%s"' % person.name.encode() in body]
    return frozenset().union(*(owners(body, person) for person in named or persons))


def _words(body: bytes) -> frozenset[str]:
    return frozenset().union(*map(_words_of, _readings(body)))


def _readings(body: bytes) -> Iterator[str]:
    """A line's text; of one that is no UTF-8, or has zero bytes, in every encoding that it may be written in."""
    letters = _letters(body)
    yield letters.decode(errors="replace")
    if _is_clean(body):
        return
    yield from (letters.decode(encoding, errors="replace") for encoding in ("cp1252", "latin-1"))
    if b"\0" in body:
        # Each line of UTF-16 but the first begins in the middle of a character.
        for start, encoding in product((0, 1), ("utf-16-le", "utf-16-be")):
            yield body[start:].decode(encoding, errors="replace")


def _is_clean(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in body


def _words_of(text: str) -> set[str]:
    found = {word for words in _WORDS for word in words.findall(text)}
    for quoted in _QUOTED.findall(text):
        try:
            found.add(json.loads(f'"{quoted}"'))
        except ValueError:
            found.add(quoted)
    return found


class _Digits(str):
    """A number as it is spelled: an id that upstream forgot to quote is somebody's all the same."""

    __slots__ = ()


def may_name(body: bytes, person_id: str) -> bool:
    """Whether a line is worth asking for its owners; cheap, and never false for a line that belongs to the person."""
    return (
        person_id.encode() in _letters(body)
        or b"\\" in body
        # Letters beyond ASCII are other bytes in other encodings.
        or not (person_id.isascii() or _is_clean(body))
    )


def _letters(body: bytes) -> bytes:
    """Without the zero bytes that UTF-16 and UTF-32 put between letters: such a file is rejected line by line, and each
    reject is somebody's all the same. No record has a zero byte."""
    return body.replace(b"\0", b"") if b"\0" in body else body


def is_named_in(text: str, person_id: str) -> bool:
    """Whether the id stands in a text by itself, not as a part of a longer word."""
    return re.search(rf"(?<![\w@.:+/-]){re.escape(person_id)}(?![\w@:+/-])", text) is not None


def person_hash(key: bytes, person_id: str) -> bytes:
    """What stands for a person where the id may not: HMAC-SHA256 under the warehouse's key. The same whatever the kind:
    one id is one person."""
    return hmac.digest(key, person_id.encode(), hashlib.sha256)


def shape(identity: str) -> str:
    """What a reader sees of an id: without blanks, invisible characters and case; widths, dashes and letters of the
    same form are one."""
    folded = unicodedata.normalize("NFKC", identity).casefold().translate(_SAME_SHAPE)
    return "".join(
        "-" if unicodedata.category(each) == "Pd" else each for each in folded if each.isprintable() and each != " "
    )


def look_alikes(identity: str, known: Iterable[str]) -> Iterator[str]:
    """Those of `known` that are another id and look like this one, in their order."""
    wanted = shape(identity)
    yield from (each for each in known if each != identity and shape(each) == wanted)


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line of the person; `[start, end)`: the bytes of its body in the decompressed content, terminator excluded."""

    number: int
    start: int
    end: int
    erasure_id: str


def find_lines(
    content: Iterable[bytes],
    erasure_of: Callable[[bytes], str | None],
    on_line: Callable[[Line], None] = lambda line: None,
) -> list[FoundLine]:
    """The lines that fall under an erasure, in their order. `on_line` sees each of them whole."""
    found = []
    for line in iter_lines(content, max_line_bytes=SEARCHED_LINE_BYTES):
        erasure_id = erasure_of(line.body)
        if erasure_id is not None:
            on_line(line)
            # A line that was not read whole may have a terminator: one byte is left.
            length = line.length - 1 if line.is_too_long else len(line.body)
            found.append(FoundLine(line.number, line.offset, line.offset + length, erasure_id))
    return found


def blanked(content: Iterable[bytes], lines: Sequence[FoundLine]) -> Iterator[bytes]:
    """The content with a blank for every byte of these lines (ordered, as find_lines gives them): offsets, lengths and
    line numbers stay true, and the reader calls such a line blank."""
    offset = 0
    remaining = iter(lines)
    line = next(remaining, None)
    for chunk in content:
        end = offset + len(chunk)
        if line is not None and line.start < end:
            edited = bytearray(chunk)
            while line is not None and line.start < end:
                first, last = max(line.start, offset), min(line.end, end)
                edited[first - offset : last - offset] = b" " * (last - first)
                if line.end > end:
                    break
                line = next(remaining, None)
            chunk = bytes(edited)
        offset = end
        yield chunk
