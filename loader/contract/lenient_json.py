"""JSON read more widely than the contract allows, only to say what is wrong with a line."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from loader.bounds import MAX_DEPTH

_BRACKET_OR_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]', re.DOTALL)
_QUOTE_AND_SPACE = (b'" ', b'"\t', b'"\n', b'"\r')
_SURROGATE = re.compile("[\ud800-\udfff]")


class UnreadableError(ValueError):
    """The text is no JSON, in any reading. The message repeats nothing of it."""


@dataclass(slots=True)
class LenientValue:
    """What json.loads makes of a text. A number is read as 0, so that no digit count can hurt, or as it was asked for.

    `duplicate_names` are those of the outermost object only; `constant` is a NaN or Infinity that was met; `widest`
    counts the names of the object that has most.
    """

    value: Any = None
    has_duplicate_key: bool = False
    duplicate_names: list[str] = field(default_factory=list)
    constant: str | None = None
    widest: int = 0


def read_leniently(text: str, number: Callable[[str], Any] = lambda token: 0) -> LenientValue:
    """The value of a text, duplicate keys (the last wins), NaN, Infinity and lone surrogates included. `number`: what a
    token becomes.

    Raises UnreadableError when it is no JSON at all, or nests deeper than MAX_DEPTH.
    """
    if is_too_deep(text):
        raise UnreadableError(f"nested deeper than {MAX_DEPTH}")
    result = LenientValue()

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        record = dict(pairs)
        result.widest = max(result.widest, len(pairs))
        result.duplicate_names = []  # the outermost object is collected last
        if len(record) != len(pairs):
            result.has_duplicate_key = True
            counts = Counter(name for name, _ in pairs)
            result.duplicate_names = [name for name, count in counts.items() if count > 1]
        return record

    def note_constant(name: str) -> int:
        result.constant = name
        return 0

    try:
        result.value = json.loads(
            text, object_pairs_hook=collect, parse_constant=note_constant, parse_int=number, parse_float=number
        )
    except json.JSONDecodeError as error:
        raise UnreadableError(f"{error.msg} (character {error.pos})") from None
    return result


def has_duplicate_key(line: bytes, record: dict[str, Any]) -> bool:
    """True when an object of a valid JSON text has a key twice; `record` is what the text was read as."""
    # Every key is a quote, a colon and at most whitespace between: where no whitespace follows a quote, there
    # are at least as many '":' as keys. As many as `record` has fields: then all keys differ.
    if line.count(b'":') == len(record) and not any(pair in line for pair in _QUOTE_AND_SPACE):
        return False
    return read_leniently(line.decode()).has_duplicate_key


def strings_of(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every string of a JSON value with its place; a key counts at the place of its object."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict):
        for name, member in value.items():
            yield place, name
            yield from strings_of(member, (*place, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from strings_of(member, (*place, index))


def has_nul(value: Any) -> bool:
    """True when a string or key of a JSON value holds U+0000, which PostgreSQL cannot store."""
    return any("\0" in text for _, text in strings_of(value))


def has_surrogate(text: str) -> bool:
    """True when a text holds half of a surrogate pair: no UTF-8 can be written for it."""
    return _SURROGATE.search(text) is not None


def without_surrogates(value: Any) -> Any:
    """The same JSON value with U+FFFD for every lone surrogate."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {without_surrogates(name): without_surrogates(member) for name, member in value.items()}
    if isinstance(value, list):
        return [without_surrogates(member) for member in value]
    return value


def is_too_deep(text: str) -> bool:
    """True when brackets of a JSON text nest deeper than MAX_DEPTH."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(text):
        character = token[0]
        if character in ("[", "{"):
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif character in ("]", "}"):
            depth -= 1
    return False
