"""Whose a line is: the customer ids that it may belong to, read as widely as a line can be broken."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import orjson

from loader.contract.lenient_json import strings_of

_FIELD = "customer_id"
_FIELD_BYTES = _FIELD.encode()
# What may be an id in a line that is no JSON: a quoted text, or letters, digits and the like between anything else.
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_WORDS = (re.compile(r"[\w@.:+/-]+"), re.compile(r"[\w@.+-]+"), re.compile(r"[\w-]+"))


def owners(body: bytes) -> frozenset[str]:
    """The customers whom a line, without its terminator, belongs to.

    Of a JSON object the text of its `customer_id`, every one where the field stands twice. Of one without that field,
    or with a number there, all texts and numbers in it, and of a line that is no JSON all texts and words: who is named
    there cannot be told from a customer, and what is kept too long is worse than a broken line that is lost.
    """
    written, body = body, _letters(body)
    # One mention of the field, unescaped: the parser's value is the only one.
    if body.count(_FIELD_BYTES) == 1 and b"\\u" not in body:
        try:
            record = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _words(written)
        if isinstance(record, dict) and isinstance(record.get(_FIELD), str):
            return frozenset((record[_FIELD],))
    named: set[str] = set()

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        named.update(value for name, value in pairs if name == _FIELD and isinstance(value, str))
        return dict(pairs)

    try:
        value = json.loads(body, object_pairs_hook=note, parse_int=_Digits, parse_float=_Digits)
        is_named = any(not isinstance(name, _Digits) for name in named)
        return frozenset(str(text) for text in (named if is_named else {text for _, text in strings_of(value)}))
    except (ValueError, RecursionError):
        return _words(written)


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


def may_name(body: bytes, customer_id: str) -> bool:
    """Whether a line is worth asking for its owners; cheap, and never false for a line that belongs to the customer."""
    return (
        customer_id.encode() in _letters(body)
        or b"\\" in body
        # Letters beyond ASCII are other bytes in other encodings.
        or not (customer_id.isascii() or _is_clean(body))
    )


def _letters(body: bytes) -> bytes:
    """Without the zero bytes that UTF-16 and UTF-32 put between letters: such a file is rejected line by line, and each
    reject is somebody's all the same. No record has a zero byte."""
    return body.replace(b"\0", b"") if b"\0" in body else body


def is_named_in(text: str, customer_id: str) -> bool:
    """Whether the id stands in a text by itself, not as a part of a longer word."""
    return re.search(rf"(?<![\w@.:+/-]){re.escape(customer_id)}(?![\w@:+/-])", text) is not None


def customer_hash(key: bytes, customer_id: str) -> bytes:
    """What stands for a customer where the id may not: HMAC-SHA256 under the warehouse's key."""
    return hmac.digest(key, customer_id.encode(), hashlib.sha256)


@dataclass(frozen=True, slots=True)
class Suppression:
    """Whom this warehouse has erased: the erasure by the customer's keyed hash. Empty: nobody."""

    key: bytes
    erasures: Mapping[bytes, str]

    def erasure_of(self, body: bytes) -> str | None:
        """The erasure that a line falls under, the same for every reading of it; None for most lines."""
        for owner in sorted(owners(body)):
            found = self.erasures.get(customer_hash(self.key, owner))
            if found is not None:
                return found
        return None
