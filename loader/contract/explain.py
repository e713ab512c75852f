"""Why a line is rejected: every applicable reason code, the first place, a message without payload values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema_rs

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
    INVALID_TIMESTAMP,
    TIMESTAMP_OUT_OF_RANGE,
    TimestampError,
    parse_instant,
)
from loader.errors import CommandUsageError

_CODE_OF_KEYWORD = {
    "type": "wrong_type",
    "enum": "invalid_enum_value",
    "const": "schema_version_mismatch",
    "pattern": "pattern_mismatch",
    "maxLength": "value_too_long",
    "format": INVALID_TIMESTAMP,
}
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
        TIMESTAMP_OUT_OF_RANGE,
    }
)
_NOTES = {"$schema", "$id", "$comment", "title", "description"}
_RECORD_KEYWORDS = _NOTES | {"type", "required", "properties", "additionalProperties"}
_FIELD_KEYWORDS = _NOTES | {"items"} | set(_CODE_OF_KEYWORD)

_NUL_OR_SURROGATE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
# The validator lists the errors of an array all at once, 2 KB each: it sees this many items at a time.
_ITEMS_AT_A_TIME = 100
# Findings kept per fault of the same kind, findings told in the message, characters of the message.
_FINDINGS_KEPT = 20
_FINDINGS_TOLD = 5
_MESSAGE_CHARACTERS = 500


class Explainer:
    """Explains rejected lines of one kind, whose records are objects of scalars and arrays of scalars.
    `partition_field` names the day of a rejected line; `rules` are the kind's own.

    Slow (about 50 µs a line), but bounded: time and memory grow with the line's bytes, not with its faults.
    """

    def __init__(self, contract: dict[str, Any], path: Path, partition_field: str, rules: Rules) -> None:
        """Raises CommandUsageError when the contract uses a keyword that no reason code explains."""
        fields: dict[str, dict[str, Any]] = contract["properties"]
        unexplained = set(contract) - _RECORD_KEYWORDS
        for schema in fields.values():
            unexplained |= set(schema) - _FIELD_KEYWORDS
            unexplained |= set(schema.get("items", {})) - _FIELD_KEYWORDS
        if unexplained:
            raise CommandUsageError(
                f"contract {path}: no reason code explains the keywords {sorted(unexplained)}; nothing was read.",
                next_command="git status contracts",
            )
        self._required: list[str] = contract["required"]
        self._validators = {name: compile_schema(schema, path) for name, schema in fields.items()}
        self._instants = {name for name, schema in fields.items() if schema.get("format") == "date-time"}
        self._partition_field = partition_field
        self._rules = rules

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
            reading = read_leniently(text)
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
        yield from self._faults_of_fields(value)
        yield from self._rules.faults(value)

    def _faults_of_fields(self, record: dict[str, Any]) -> Iterator[Finding]:
        for name in self._required:
            if name not in record:
                yield Finding("missing_required_field", _path(name), "required, and absent")
        for name in islice((name for name in record if name not in self._validators), _FINDINGS_KEPT):
            yield Finding("unknown_field", _path(name), "the contract has no such field")
        for name, validator in self._validators.items():
            if name in record:
                yield from self._faults_of_field(name, record[name], validator)

    def _faults_of_field(
        self, name: str, value: Any, validator: jsonschema_rs.Draft202012Validator
    ) -> Iterator[Finding]:
        if name in self._instants and isinstance(value, str):
            try:
                parse_instant(value)
            except TimestampError as error:
                yield Finding(error.reason_code, _path(name), f"{error.message} ({_kind(value)})")
                return
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
        try:
            return parse_instant(text).date() if isinstance(text, str) else None
        except TimestampError:
            return None


def _faults_of_items(
    name: str, value: Any, first: int, validator: jsonschema_rs.Draft202012Validator
) -> Iterator[Finding]:
    """Faults of a field's value, or of a slice of its items that begins at index `first`."""
    errors = [([first + int(index) for index in error.instance_path], error) for error in validator.iter_errors(value)]
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
                message = f"expected one of {', '.join(kind.value)}; got {got}"
            case "const":
                message = f"expected {kind.value}, got {got}"
            case "maxLength":
                message = f"expected at most {kind.value} characters, got {got}"
            case _:
                message = f"expected {kind.name} {kind.value}, got {got}"
        yield Finding(_CODE_OF_KEYWORD[kind.name], _path(name, *place), message)


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
        case int() | float():
            return "a number"
        case str():
            return f"text of {len(value)} characters"
        case list():
            return f"an array of {len(value)}"
        case _:
            return f"an object of {len(value)}"
