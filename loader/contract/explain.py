"""Why a line is rejected: every applicable reason code, the first place, a message without payload values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from loader.contract.faults import (
    BOUNDS,
    CODE_OF_KEYWORD,
    NUMBER_TOO_LONG,
    OUT_OF_BOUNDS,
    faults_of_items,
    faults_of_numbers,
    faults_of_strings,
    faults_of_value,
    faults_within,
    number_or_mark,
    place_of,
    type_and_length,
)
from loader.contract.foreign_format import FOREIGN_CODES, JSON_DOCUMENT, begins_document, foreign_bytes
from loader.contract.lenient_json import (
    LenientValue,
    UnreadableError,
    read_leniently,
    without_surrogates,
)
from loader.contract.record import LineFault, RejectedRecord, Rules
from loader.contract.schema import Part, as_part, times_in
from loader.contract.timestamps import (
    INVALID_DATE,
    INVALID_TIMESTAMP,
    PARSER_OF_FORMAT,
    TIMESTAMP_OUT_OF_RANGE,
    TimestampError,
)
from loader.errors import CommandUsageError

# For lines of kinds that have numbers, objects within records, bounds, or dates.
FURTHER_CODES = frozenset({NUMBER_TOO_LONG, OUT_OF_BOUNDS, INVALID_DATE})
# For lines of every kind.
REJECT_CODES = (
    frozenset(CODE_OF_KEYWORD.values())
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
_FIELD_KEYWORDS = _NOTES | {"items", "properties", "required", "additionalProperties"} | set(CODE_OF_KEYWORD) | BOUNDS

_NUL_OR_SURROGATE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
# The validator lists the errors of an array all at once, 2 KB each: it sees this many items at a time.
_ITEMS_AT_A_TIME = 100
# Findings kept per fault of the same kind, findings told in the message, characters of the message.
_FINDINGS_KEPT = 20
_FINDINGS_TOLD = 5
_MESSAGE_CHARACTERS = 500


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
        self._parts = {name: as_part(schema, path) for name, schema in fields.items()}
        self._partition_field = partition_field
        self._rules = rules
        self.is_exact = not self._is_closed or any(
            part.may_hold_numbers or part.has_members for part in self._parts.values()
        )
        times = [time for name, part in self._parts.items() for time in times_in(part, (name,))]
        self.times = [time for time in times if len(time[0]) > 1]
        self.codes = REJECT_CODES | rules.REJECT_CODES
        if self.is_exact:
            self.codes |= {NUMBER_TOO_LONG}
        if used & BOUNDS:
            self.codes |= {OUT_OF_BOUNDS}
        if any(parse is PARSER_OF_FORMAT["date"] for _, parse in times):
            self.codes |= {INVALID_DATE}

    def explain(self, line: bytes, syntax_fault: str | None = None) -> RejectedRecord:
        """The rejection of a line that the judge did not accept.

        `syntax_fault` is the strict parser's complaint, told when no wider reading finds more. Raises
        AssertionError when nothing is wrong with the line: then judge and explanation disagree.
        """
        foreign = foreign_bytes(line)
        if foreign is not None:
            return _rejection([LineFault(foreign[0], "$", foreign[1])], None)
        findings: list[LineFault] = []
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            findings.append(LineFault("invalid_utf8", "$", f"byte {error.start} is no UTF-8"))
            text = line.decode(errors="replace")
        has_valid_text = not findings
        if text.startswith("\ufeff"):
            findings.append(LineFault("byte_order_mark", "$", "the line begins with a byte order mark"))
            text = text[1:]
        try:
            reading = read_leniently(text, number_or_mark) if self.is_exact else read_leniently(text)
        except UnreadableError as error:
            document = begins_document(text)
            code, message = ("malformed_json", f"no JSON: {error}") if document is None else (JSON_DOCUMENT, document)
            findings.append(LineFault(code, "$", message))
            return _rejection(findings, None)
        if reading.constant is not None:
            findings.append(LineFault("malformed_json", "$", f"{reading.constant} is no JSON value"))
        elif has_valid_text:
            findings.extend(self._faults_of_value(text, reading))
        if not findings and syntax_fault is not None:
            findings.append(LineFault("malformed_json", "$", f"no JSON: {syntax_fault}"))
        return _rejection(findings, self._day_of(reading))

    def _faults_of_value(self, text: str, reading: LenientValue) -> Iterator[LineFault]:
        value = reading.value
        if not isinstance(value, dict):
            document = begins_document(text, value)
            message = f"expected an object, got {type_and_length(value)}" if document is None else document
            yield LineFault("not_an_object" if document is None else JSON_DOCUMENT, "$", message)
            return
        if reading.has_duplicate_key:
            name = next(iter(reading.duplicate_names), None)
            yield LineFault("duplicate_key", "$" if name is None else place_of(name), "the same field twice")
        if _NUL_OR_SURROGATE_ESCAPE.search(text) is not None:
            yield from faults_of_strings(value)
            value = without_surrogates(value)
        if self.is_exact:
            yield from islice(faults_of_numbers(value), _FINDINGS_KEPT)
        yield from self._faults_of_fields(value)
        yield from self._rules.faults(value)

    def _faults_of_fields(self, record: dict[str, Any]) -> Iterator[LineFault]:
        for name in self._required:
            if name not in record:
                yield LineFault("missing_required_field", place_of(name), "required, and absent")
        if self._is_closed:
            for name in islice((name for name in record if name not in self._parts), _FINDINGS_KEPT):
                yield LineFault("unknown_field", place_of(name), "the contract has no such field")
        for name, part in self._parts.items():
            if name in record:
                yield from self._faults_of_field(name, record[name], part)

    def _faults_of_field(self, name: str, value: Any, part: Part) -> Iterator[LineFault]:
        if part.has_members:
            yield from islice(faults_within((name,), value, part), _FINDINGS_KEPT)
            return
        if part.parse is not None and isinstance(value, str):
            try:
                part.parse(value)
            except TimestampError as error:
                yield LineFault(error.reason_code, place_of(name), f"{error.message} ({type_and_length(value)})")
                return
        validator = part.whole
        if not isinstance(value, list):
            yield from faults_of_value(name, value, validator)
            return
        yield from faults_of_value(name, value, part.own)
        for first in range(0, len(value) if part.items is not None else 0, _ITEMS_AT_A_TIME):
            items = value[first : first + _ITEMS_AT_A_TIME]
            if not validator.is_valid(items) and (found := list(faults_of_items(name, items, first, validator))):
                yield from found[:_FINDINGS_KEPT]
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


def _rejection(findings: list[LineFault], partition_key: date | None) -> RejectedRecord:
    if not findings:
        raise AssertionError("the judge rejects a line that the explanation finds nothing wrong with")
    told = [f"{finding.place}: {finding.message}" for finding in findings[:_FINDINGS_TOLD]]
    if len(findings) > _FINDINGS_TOLD:
        told.append(f"and {len(findings) - _FINDINGS_TOLD} more")
    codes = tuple(sorted({finding.code for finding in findings}))
    return RejectedRecord(codes, "; ".join(told)[:_MESSAGE_CHARACTERS], findings[0].place, partition_key)
