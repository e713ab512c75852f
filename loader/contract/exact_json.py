"""JSON whose numbers are exact: read as the decimals that the delivered tokens spell, written in one form.

This is for kinds that have numbers, or objects within their records. A record of the others holds neither, and pays
nothing for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from loader.bounds import MAX_NUMBER_DIGITS
from loader.contract.lenient_json import is_too_deep

_EXPONENT = re.compile("[eE]")


class InexactError(ValueError):
    """The text is JSON, and no record of it can be kept as it is: a number of too many digits, a key twice, NaN, or
    nested too deep."""


def read_exactly(text: str) -> Any:
    """The value of a JSON text, numbers as Decimal. Raises InexactError, and JSONDecodeError where it is no JSON."""
    if is_too_deep(text):
        raise InexactError
    return json.loads(
        text, object_pairs_hook=_object, parse_int=exact_number, parse_float=exact_number, parse_constant=_refused
    )


def exact_number(token: str) -> Decimal:
    """The number that a JSON token spells. Raises InexactError where it has more than MAX_NUMBER_DIGITS digits, written
    without exponent, zero before the point or zeros at the end."""
    try:
        value = Decimal(token)
    except InvalidOperation:
        raise InexactError from None  # an exponent that no Decimal has
    digits = _EXPONENT.split(token)[0].replace(".", "").lstrip("-0").rstrip("0")
    if not digits:
        return Decimal(0)
    # Decided before anything is written out: an exponent may stand for any number of digits.
    last = value.adjusted() - len(digits) + 1
    if max(len(digits) + max(last, 0), -last) > MAX_NUMBER_DIGITS:
        raise InexactError
    return Decimal(number_text(value))


def number_text(value: Decimal) -> str:
    """The one form in which a number is written: no exponent, no zeros at the end, no plus, no -0."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def number_json(value: Any) -> orjson.Fragment:
    """What orjson writes for a number that read_exactly has read: its text. For `default` of orjson.dumps."""
    if not isinstance(value, Decimal):
        raise TypeError(f"no JSON value: {type(value).__name__}")
    return orjson.Fragment(number_text(value))


def values_at(value: Any, place: tuple[str | int, ...]) -> Iterator[Any]:
    """What stands at a place of a value, `*` for each item of an array; nothing where there is nothing."""
    if not place:
        yield value
        return
    step, *rest = place
    if step == "*":
        for item in value if isinstance(value, list) else ():
            yield from values_at(item, tuple(rest))
    elif isinstance(value, dict) and step in value:
        yield from values_at(value[step], tuple(rest))


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise InexactError
    return record


def _refused(name: str) -> Any:
    raise InexactError(name)
