"""What is wrong with the values of a record, each fault at its own place, in words without a value of the payload."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import jsonschema_rs

from loader.bounds import MAX_NUMBER_DIGITS
from loader.contract.exact_json import InexactError, exact_number
from loader.contract.lenient_json import (
    has_surrogate,
    strings_of,
)
from loader.contract.record import LineFault
from loader.contract.schema import Part, is_plain_name, json_path, times_in
from loader.contract.timestamps import (
    CODE_OF_FORMAT,
    TimestampError,
)

CODE_OF_KEYWORD = {
    "type": "wrong_type",
    "enum": "invalid_enum_value",
    "const": "schema_version_mismatch",
    "pattern": "pattern_mismatch",
    "maxLength": "value_too_long",
    "format": "pattern_mismatch",
}
NUMBER_TOO_LONG = "number_too_long"
OUT_OF_BOUNDS = "value_out_of_bounds"
BOUNDS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    | {"minLength", "minItems", "maxItems", "uniqueItems"}
)
# Stands for a number of too many digits: one that no other place of a line holds.
_TOO_LONG = Decimal(0)


def number_or_mark(token: str) -> Decimal:
    try:
        return exact_number(token)
    except InexactError:
        return _TOO_LONG


def faults_of_numbers(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[LineFault]:
    if value is _TOO_LONG:
        message = f"expected a number of at most {MAX_NUMBER_DIGITS} digits, written without exponent"
        yield LineFault(NUMBER_TOO_LONG, place_of(*place), message)
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from faults_of_numbers(member, (*place, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from faults_of_numbers(member, (*place, index))


def faults_within(place: tuple[str | int, ...], value: Any, part: Part) -> Iterator[LineFault]:
    """Faults of a value and of what is in it, each at its own place."""
    if value is _TOO_LONG:
        return
    if part.parse is not None and isinstance(value, str):
        try:
            part.parse(value)
        except TimestampError as error:
            yield LineFault(error.reason_code, place_of(*place), f"{error.message} ({type_and_length(value)})")
            return
    own = list(_faults_of(place, 0, list(part.own.iter_errors(value))))
    yield from own
    if any(finding.code == "wrong_type" for finding in own):
        return
    if isinstance(value, dict):
        for name in part.required:
            if name not in value:
                yield LineFault("missing_required_field", place_of(*place, name), "required, and absent")
        for name, member in value.items():
            if name in part.properties:
                yield from faults_within((*place, name), member, part.properties[name])
            elif part.is_closed:
                yield LineFault("unknown_field", place_of(*place, name), "the contract has no such field")
    elif isinstance(value, list) and part.items is not None:
        # In what the validator lets pass, only an instant or a date may still be wrong.
        has_times = any(times_in(part.items, ()))
        for index, item in enumerate(value):
            if has_times or not part.items.whole.is_valid(item):
                yield from faults_within((*place, index), item, part.items)


def faults_of_value(name: str, value: Any, validator: jsonschema_rs.Draft202012Validator) -> Iterator[LineFault]:
    """Faults of a field's value."""
    return _faults_of((name,), 0, list(validator.iter_errors(value)))


def faults_of_items(
    name: str, items: Sequence[Any], first: int, validator: jsonschema_rs.Draft202012Validator
) -> Iterator[LineFault]:
    """Faults of some items of a field, which begin at index `first`; how many they are says nothing of the field."""
    return _faults_of((name,), first, [error for error in validator.iter_errors(items) if list(error.instance_path)])


def _faults_of(
    field: tuple[str | int, ...], first: int, found: Sequence[jsonschema_rs.ValidationError]
) -> Iterator[LineFault]:
    errors = [([first + int(index) for index in error.instance_path], error) for error in found]
    mistyped = [place for place, error in errors if error.kind.name == "type"]
    for place, error in errors:
        kind = error.kind
        if kind.name != "type" and place in mistyped:
            continue  # of a value of the wrong type, nothing else is worth saying
        got = type_and_length(error.instance)
        match kind.name:
            case "type":
                message = f"expected {' or '.join(kind.value)}, got {got}"
            case "enum":
                message = f"expected one of {', '.join(map(str, kind.value))}; got {got}"
            case "const":
                message = f"expected {kind.value}, got {got}"
            case "maxLength":
                message = f"expected at most {kind.value} characters, got {got}"
            case "uniqueItems":
                message = "expected every item once"
            case _:
                message = f"expected {kind.name} {kind.value}, got {got}"
        code = OUT_OF_BOUNDS if kind.name in BOUNDS else CODE_OF_KEYWORD[kind.name]
        if kind.name == "format":
            code = CODE_OF_FORMAT.get(kind.value, code)
        yield LineFault(code, place_of(*field, *place), message)


def faults_of_strings(value: Any) -> Iterator[LineFault]:
    """At most one finding per code: the first NUL and the first lone surrogate."""
    tests = {"unstorable_character": lambda text: "\0" in text, "lone_surrogate": has_surrogate}
    messages = {"unstorable_character": "holds U+0000", "lone_surrogate": "holds half of a surrogate pair"}
    for place, text in strings_of(value):
        for code in [code for code, is_faulty in tests.items() if is_faulty(text)]:
            del tests[code]
            yield LineFault(code, place_of(*place), messages[code])
        if not tests:
            return


def place_of(*place: str | int) -> str:
    """The place of a fault; a name that is no plain identifier could be personal data and is not shown."""
    return json_path(part if isinstance(part, int) or is_plain_name(part) else "(name_withheld)" for part in place)


def type_and_length(value: Any) -> str:
    """Type and length of a value, never the value."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float() | Decimal():
            return "a number"
        case str():
            return f"text of {len(value)} characters"
        case list():
            return f"an array of {len(value)}"
        case _:
            return f"an object of {len(value)}"
