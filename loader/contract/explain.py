"""Why a line is rejected: every applicable reason code, the first place, a message without payload values."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema_rs

from loader.bounds import MAX_NUMBER_DIGITS
from loader.contract.exact_json import InexactError, exact_number
from loader.contract.foreign_format import FOREIGN_CODES, JSON_DOCUMENT, begins_document, foreign_bytes
from loader.contract.lenient_json import (
    LenientValue,
    UnreadableError,
    has_surrogate,
    read_leniently,
    strings_of,
    without_surrogates,
)
from loader.contract.record import Finding, RejectedRecord
from loader.contract.rules import Rules
from loader.contract.schema import compile_schema, is_plain_name, json_path
from loader.contract.timestamps import (
    CODE_OF_FORMAT,
    INVALID_DATE,
    INVALID_TIMESTAMP,
    PARSER_OF_FORMAT,
    TIMESTAMP_OUT_OF_RANGE,
    TimestampError,
)
from loader.errors import CommandUsageError

_CODE_OF_KEYWORD = {
    "type": "wrong_type",
    "enum": "invalid_enum_value",
    "const": "schema_version_mismatch",
    "pattern": "pattern_mismatch",
    "maxLength": "value_too_long",
    "format": "pattern_mismatch",
}
_NUMBER_TOO_LONG = "number_too_long"
_OUT_OF_BOUNDS = "value_out_of_bounds"
_BOUNDS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    | {"minLength", "minItems", "maxItems", "uniqueItems"}
)
# For lines of kinds that have numbers, objects within records, bounds, or dates.
FURTHER_CODES = frozenset({_NUMBER_TOO_LONG, _OUT_OF_BOUNDS, INVALID_DATE})
# For lines of every kind.
REJECT_CODES = (
    frozenset(_CODE_OF_KEYWORD.values())
    | FOREIGN_CODES
    | {
        "invalid_utf8",
        "byte_order_mark",
        "malformed_json",
        "not_an_object",
        "duplicate_key",
        "unstorable_character",
        "lone_surrogate",
        "missing_required_field",
        "unknown_field",
        "line_too_long",
        INVALID_TIMESTAMP,
        TIMESTAMP_OUT_OF_RANGE,
    }
)
_NOTES = {
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
}
_RECORD_KEYWORDS = _NOTES | {"type", "required", "properties", "additionalProperties"}
_FIELD_KEYWORDS = _NOTES | {"items", "properties", "required", "additionalProperties"} | set(_CODE_OF_KEYWORD) | _BOUNDS
# What a subschema says of values inside the value.
_OF_MEMBERS = ("properties", "required", "additionalProperties", "items")

_NUL_OR_SURROGATE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
# The validator lists the errors of an array all at once, 2 KB each: it sees this many items at a time.
_ITEMS_AT_A_TIME = 100
_ANY_TYPE = ("null", "boolean", "number", "string", "array", "object")
# Stands for a number of too many digits: one that no other place of a line holds.
_TOO_LONG = Decimal(0)
# Findings kept per fault of the same kind, findings told in the message, characters of the message.
_FINDINGS_KEPT = 20
_FINDINGS_TOLD = 5
_MESSAGE_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class _Part:
    """A subschema: `whole` validates a value with all that is in it, `own` the value alone. `parse`: of the text of an
    instant or a date. `may_hold_numbers`: it, or what is in it; `has_members`: a valid value may be or hold an object,
    or hold an instant or a date."""

    whole: jsonschema_rs.Draft202012Validator
    own: jsonschema_rs.Draft202012Validator
    parse: Callable[[str], datetime] | None
    required: tuple[str, ...]
    properties: Mapping[str, _Part]
    is_closed: bool
    items: _Part | None
    may_hold_numbers: bool
    has_members: bool


def _part(schema: Mapping[str, Any], path: Path) -> _Part:
    named = schema.get("type", _ANY_TYPE)
    types = {named} if isinstance(named, str) else set(named)
    properties = {name: _part(inner, path) for name, inner in schema.get("properties", {}).items()}
    items = _part(schema["items"], path) if "items" in schema else None
    is_closed = schema.get("additionalProperties") is False
    members = [*properties.values(), *([] if items is None else [items])]
    is_open = ("object" in types and not is_closed) or ("array" in types and items is None)
    return _Part(
        compile_schema(dict(schema), path),
        compile_schema({name: value for name, value in schema.items() if name not in _OF_MEMBERS}, path),
        PARSER_OF_FORMAT.get(schema.get("format", "")),
        tuple(schema.get("required", ())),
        properties,
        is_closed,
        items,
        bool(types & {"number", "integer"}) or is_open or any(member.may_hold_numbers for member in members),
        "object" in types or is_open or any(member.has_members or member.parse is not None for member in members),
    )


def _keywords(schema: Mapping[str, Any]) -> set[str]:
    """The keywords of a subschema and of those in it; one whose value is of a form that is not known, too."""
    found = set(schema)
    if not isinstance(schema.get("additionalProperties", False), bool):
        found.add("additionalProperties (as a schema)")
    for inner in [*([schema["items"]] if "items" in schema else []), *schema.get("properties", {}).values()]:
        found |= _keywords(inner) if isinstance(inner, dict) else {"true or false (as a schema)"}
    return found


class Explainer:
    """Explains rejected lines of one kind. `partition_field` names the day of a rejected line; `rules` are the kind's
    own. `codes`: every code that it may give; `is_exact`: its records may hold numbers or objects, and are read by
    exact_json; `times`: the places of instants and dates inside of fields, for values_at, and what parses them.

    Slow (about 50 µs a line), but bounded: time and memory grow with the line's bytes, not with its faults.
    """

    def __init__(self, contract: dict[str, Any], path: Path, partition_field: str, rules: Rules) -> None:
        """Raises CommandUsageError when the contract uses a keyword that no reason code explains."""
        fields: dict[str, dict[str, Any]] = contract["properties"]
        used = set().union(*map(_keywords, fields.values()))
        unexplained = (set(contract) - _RECORD_KEYWORDS) | (used - _FIELD_KEYWORDS)
        if unexplained:
            raise CommandUsageError(
                f"contract {path}: no reason code explains the keywords {sorted(unexplained)}; nothing was read.",
                next_command="git status contracts",
            )
        self._required: list[str] = contract["required"]
        self._is_closed = contract.get("additionalProperties") is False
        self._parts = {name: _part(schema, path) for name, schema in fields.items()}
        self._partition_field = partition_field
        self._rules = rules
        self.is_exact = not self._is_closed or any(
            part.may_hold_numbers or part.has_members for part in self._parts.values()
        )
        times = [time for name, part in self._parts.items() for time in _times_in(part, (name,))]
        self.times = [time for time in times if len(time[0]) > 1]
        self.codes = REJECT_CODES | rules.REJECT_CODES
        if self.is_exact:
            self.codes |= {_NUMBER_TOO_LONG}
        if used & _BOUNDS:
            self.codes |= {_OUT_OF_BOUNDS}
        if any(parse is PARSER_OF_FORMAT["date"] for _, parse in times):
            self.codes |= {INVALID_DATE}

    def explain(self, line: bytes, syntax_fault: str | None = None) -> RejectedRecord:
        """The rejection of a line that the judge did not accept.

        `syntax_fault` is the strict parser's complaint, told when no wider reading finds more. Raises
        AssertionError when nothing is wrong with the line: then judge and explanation disagree.
        """
        foreign = foreign_bytes(line)
        if foreign is not None:
            return _rejection([Finding(foreign[0], "$", foreign[1])], None)
        findings: list[Finding] = []
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            findings.append(Finding("invalid_utf8", "$", f"byte {error.start} is no UTF-8"))
            text = line.decode(errors="replace")
        has_valid_text = not findings
        if text.startswith("\ufeff"):
            findings.append(Finding("byte_order_mark", "$", "the line begins with a byte order mark"))
            text = text[1:]
        try:
            reading = read_leniently(text, _number) if self.is_exact else read_leniently(text)
        except UnreadableError as error:
            document = begins_document(text)
            code, message = ("malformed_json", f"no JSON: {error}") if document is None else (JSON_DOCUMENT, document)
            findings.append(Finding(code, "$", message))
            return _rejection(findings, None)
        if reading.constant is not None:
            findings.append(Finding("malformed_json", "$", f"{reading.constant} is no JSON value"))
        elif has_valid_text:
            findings.extend(self._faults_of_value(text, reading))
        if not findings and syntax_fault is not None:
            findings.append(Finding("malformed_json", "$", f"no JSON: {syntax_fault}"))
        return _rejection(findings, self._day_of(reading))

    def _faults_of_value(self, text: str, reading: LenientValue) -> Iterator[Finding]:
        value = reading.value
        if not isinstance(value, dict):
            document = begins_document(text, value)
            message = f"expected an object, got {_kind(value)}" if document is None else document
            yield Finding("not_an_object" if document is None else JSON_DOCUMENT, "$", message)
            return
        if reading.has_duplicate_key:
            name = next(iter(reading.duplicate_names), None)
            yield Finding("duplicate_key", "$" if name is None else _path(name), "the same field twice")
        if _NUL_OR_SURROGATE_ESCAPE.search(text) is not None:
            yield from _faults_of_strings(value)
            value = without_surrogates(value)
        if self.is_exact:
            yield from islice(_faults_of_numbers(value), _FINDINGS_KEPT)
        yield from self._faults_of_fields(value)
        yield from self._rules.faults(value)

    def _faults_of_fields(self, record: dict[str, Any]) -> Iterator[Finding]:
        for name in self._required:
            if name not in record:
                yield Finding("missing_required_field", _path(name), "required, and absent")
        if self._is_closed:
            for name in islice((name for name in record if name not in self._parts), _FINDINGS_KEPT):
                yield Finding("unknown_field", _path(name), "the contract has no such field")
        for name, part in self._parts.items():
            if name in record:
                yield from self._faults_of_field(name, record[name], part)

    def _faults_of_field(self, name: str, value: Any, part: _Part) -> Iterator[Finding]:
        if part.has_members:
            yield from islice(_faults_within((name,), value, part), _FINDINGS_KEPT)
            return
        if part.parse is not None and isinstance(value, str):
            try:
                part.parse(value)
            except TimestampError as error:
                yield Finding(error.reason_code, _path(name), f"{error.message} ({_kind(value)})")
                return
        validator = part.whole
        if not isinstance(value, list):
            yield from _faults_of_items(name, value, 0, validator)
            return
        for first in range(0, max(len(value), 1), _ITEMS_AT_A_TIME):
            items = value[first : first + _ITEMS_AT_A_TIME]
            if not validator.is_valid(items):
                yield from islice(_faults_of_items(name, items, first, validator), _FINDINGS_KEPT)
                return

    def _day_of(self, reading: LenientValue) -> date | None:
        if not isinstance(reading.value, dict) or self._partition_field in reading.duplicate_names:
            return None
        text = reading.value.get(self._partition_field)
        parse = self._parts[self._partition_field].parse
        try:
            return parse(text).date() if isinstance(text, str) and parse is not None else None
        except TimestampError:
            return None


def _times_in(part: _Part, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Callable[[str], datetime]]]:
    """Places of instants and dates, at a place or below it, and what parses them."""
    if part.parse is not None:
        yield place, part.parse
    for name, inner in part.properties.items():
        yield from _times_in(inner, (*place, name))
    if part.items is not None:
        yield from _times_in(part.items, (*place, "*"))


def _number(token: str) -> Decimal:
    try:
        return exact_number(token)
    except InexactError:
        return _TOO_LONG


def _faults_of_numbers(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[Finding]:
    if value is _TOO_LONG:
        message = f"expected a number of at most {MAX_NUMBER_DIGITS} digits, written without exponent"
        yield Finding(_NUMBER_TOO_LONG, _path(*place), message)
    elif isinstance(value, dict):
        for name, member in value.items():
            yield from _faults_of_numbers(member, (*place, name))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from _faults_of_numbers(member, (*place, index))


def _faults_within(place: tuple[str | int, ...], value: Any, part: _Part) -> Iterator[Finding]:
    """Faults of a value and of what is in it, each at its own place."""
    if value is _TOO_LONG:
        return
    if part.parse is not None and isinstance(value, str):
        try:
            part.parse(value)
        except TimestampError as error:
            yield Finding(error.reason_code, _path(*place), f"{error.message} ({_kind(value)})")
            return
    own = list(_faults_of(place, 0, list(part.own.iter_errors(value))))
    yield from own
    if any(finding.code == "wrong_type" for finding in own):
        return
    if isinstance(value, dict):
        for name in part.required:
            if name not in value:
                yield Finding("missing_required_field", _path(*place, name), "required, and absent")
        for name, member in value.items():
            if name in part.properties:
                yield from _faults_within((*place, name), member, part.properties[name])
            elif part.is_closed:
                yield Finding("unknown_field", _path(*place, name), "the contract has no such field")
    elif isinstance(value, list) and part.items is not None:
        # In what the validator lets pass, only an instant or a date may still be wrong.
        has_times = any(_times_in(part.items, ()))
        for index, item in enumerate(value):
            if has_times or not part.items.whole.is_valid(item):
                yield from _faults_within((*place, index), item, part.items)


def _faults_of_items(
    name: str, value: Any, first: int, validator: jsonschema_rs.Draft202012Validator
) -> Iterator[Finding]:
    """Faults of a field's value, or of a slice of its items that begins at index `first`."""
    return _faults_of((name,), first, list(validator.iter_errors(value)))


def _faults_of(
    field: tuple[str | int, ...], first: int, found: Sequence[jsonschema_rs.ValidationError]
) -> Iterator[Finding]:
    errors = [([first + int(index) for index in error.instance_path], error) for error in found]
    mistyped = [place for place, error in errors if error.kind.name == "type"]
    for place, error in errors:
        kind = error.kind
        if kind.name != "type" and place in mistyped:
            continue  # of a value of the wrong type, nothing else is worth saying
        got = _kind(error.instance)
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
        code = _OUT_OF_BOUNDS if kind.name in _BOUNDS else _CODE_OF_KEYWORD[kind.name]
        if kind.name == "format":
            code = CODE_OF_FORMAT.get(kind.value, code)
        yield Finding(code, _path(*field, *place), message)


def _faults_of_strings(value: Any) -> Iterator[Finding]:
    """At most one finding per code: the first NUL and the first lone surrogate."""
    tests = {"unstorable_character": lambda text: "\0" in text, "lone_surrogate": has_surrogate}
    messages = {"unstorable_character": "holds U+0000", "lone_surrogate": "holds half of a surrogate pair"}
    for place, text in strings_of(value):
        for code in [code for code, is_faulty in tests.items() if is_faulty(text)]:
            del tests[code]
            yield Finding(code, _path(*place), messages[code])
        if not tests:
            return


def _rejection(findings: list[Finding], partition_key: date | None) -> RejectedRecord:
    if not findings:
        raise AssertionError("the judge rejects a line that the explanation finds nothing wrong with")
    told = [f"{finding.place}: {finding.message}" for finding in findings[:_FINDINGS_TOLD]]
    if len(findings) > _FINDINGS_TOLD:
        told.append(f"and {len(findings) - _FINDINGS_TOLD} more")
    codes = tuple(sorted({finding.code for finding in findings}))
    return RejectedRecord(codes, "; ".join(told)[:_MESSAGE_CHARACTERS], findings[0].place, partition_key)


def _path(*place: str | int) -> str:
    """The place of a fault; a name that is no plain identifier could be personal data and is not shown."""
    return json_path(part if isinstance(part, int) or is_plain_name(part) else "(name_withheld)" for part in place)


def _kind(value: Any) -> str:
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
