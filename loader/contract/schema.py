"""JSON Schema files of the contracts folder: read, compiled once, and their faults in plain words; and what a schema
says of each field and of what is in it, a validator for every part."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import jsonschema_rs
import orjson

from loader.bounds import MAX_VIOLATIONS
from loader.contract.timestamps import (
    PARSER_OF_FORMAT,
)
from loader.errors import CommandUsageError

# Longest text of a faulty value that a message repeats.
_SHOWN_CHARACTERS = 80
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
Scope = Literal["line", "asset", "manifest", "run"]
Severity = Literal["reject", "warn"]
# What a subschema says of values inside the value.
_OF_MEMBERS = ("properties", "required", "additionalProperties", "items")
_ANY_TYPE = ("null", "boolean", "number", "string", "array", "object")


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """One place where an instance breaks its schema; `keyword` is the JSON Schema keyword that refuses it."""

    keyword: str
    json_path: str
    message: str


def read_contract_file(path: Path) -> tuple[bytes, Any]:
    """Bytes and parsed JSON of a file of the contracts folder.

    Raises CommandUsageError when it is missing or no JSON: nothing can be judged without it.
    """
    try:
        content = path.read_bytes()
        return content, orjson.loads(content)
    except (OSError, orjson.JSONDecodeError) as error:
        raise _broken(path, str(error)) from error


def compile_schema(schema: Any, path: Path) -> jsonschema_rs.Draft202012Validator:
    """A validator that checks formats too; `path` only names the file in the error.

    Raises CommandUsageError when `schema` is no valid JSON Schema 2020-12.
    """
    try:
        return jsonschema_rs.Draft202012Validator(schema, validate_formats=True, mask="the value")
    except (ValueError, jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise _broken(path, str(error)) from error


def fault_of_schema(schema: Any) -> SchemaFault | None:
    """Why a value is no JSON Schema 2020-12, whatever version it says it is of; None where it is one. Reads nothing
    else: a reference is not followed."""
    said = {name: value for name, value in schema.items() if name != "$schema"} if isinstance(schema, dict) else schema
    try:
        jsonschema_rs.meta.validate(said)
    except jsonschema_rs.ValidationError as error:
        return SchemaFault(error.kind.name, json_path(error.instance_path), _cut(error.message))
    return None


def load_schema(path: Path) -> jsonschema_rs.Draft202012Validator:
    """The compiled schema of a file; errors as in read_contract_file and compile_schema."""
    _, schema = read_contract_file(path)
    return compile_schema(schema, path)


def schema_faults(
    validator: jsonschema_rs.Draft202012Validator,
    instance: Any,
    *,
    placed: Callable[[list[str | int]], list[str | int]] = list,
) -> list[SchemaFault]:
    """Every fault of an instance, in the validator's order; empty when it is valid.

    Messages repeat faulty values (cut at 80 characters): for manifests and reports, never for tickets. Time and memory
    grow by about 20 µs and 2 KB a fault: input of unknown origin comes in parts, and `placed` says where a place of the
    part is in the whole.
    """
    faults: list[SchemaFault] = []
    for error in validator.iter_errors(instance):
        keyword, place = error.kind.name, placed(list(error.instance_path))
        if keyword == "required":
            path = json_path([*place, error.kind.as_dict()["property"]])
            faults.append(SchemaFault(keyword, path, "required field is missing"))
        elif keyword == "additionalProperties":
            faults.extend(
                SchemaFault(keyword, json_path([*place, name]), "unknown field")
                for name in error.kind.as_dict()["unexpected"][:MAX_VIOLATIONS]
            )
        else:
            shown = _cut(ascii(error.instance))
            faults.append(SchemaFault(keyword, json_path(place), f"got {shown}: {error.message}"))
    return faults


def json_path(parts: Iterable[str | int]) -> str:
    """`$`, `$.assets[2].license`; a name that is no plain identifier is written `['…']` in ASCII, a long one cut."""
    path = "$"
    for part in parts:
        if isinstance(part, int):
            path += f"[{part}]"
        elif is_plain_name(part):
            path += f".{part}"
        else:
            path += f"[{_cut(ascii(part))}]"
    return path


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def is_plain_name(name: str) -> bool:
    """True for an ASCII identifier of at most 64 characters: safe to show, and hardly personal data."""
    return _PLAIN_NAME.fullmatch(name) is not None


def _broken(path: Path, got: str) -> CommandUsageError:
    return CommandUsageError(
        f"contract file {path}: expected valid JSON (Schema), got: {got}; nothing was read or written.",
        next_command="git status contracts",
    )


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """`reject`: the line, asset, manifest or run does not count as good; `warn`: it does, and says this. `mend`: what
    allows or mends it; every code of an asset has it."""

    code: str
    scope: Scope
    severity: Severity
    meaning: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class ReasonCodes:
    """All reason codes by code, in the order of the file."""

    by_code: Mapping[str, ReasonCode]

    def codes(self, scope: Scope, severity: Severity | None = None) -> frozenset[str]:
        """The codes of a scope, of one severity or of both."""
        return frozenset(
            reason.code
            for reason in self.by_code.values()
            if reason.scope == scope and severity in (None, reason.severity)
        )

    def digest(self, codes: Collection[str]) -> str:
        """SHA-256 of these codes and their severities; a reworded meaning leaves it alone."""
        content = sorted((code, self.by_code[code].severity) for code in codes)
        return hashlib.sha256(orjson.dumps(content)).hexdigest()


def load_reason_codes(contracts_folder: Path) -> ReasonCodes:
    """The list of a contracts folder. Raises CommandUsageError when the file is missing or no JSON."""
    _, entries = read_contract_file(contracts_folder / "reason_codes.json")
    return ReasonCodes({entry["code"]: ReasonCode(**entry) for entry in entries})


@dataclass(frozen=True, slots=True)
class Part:
    """A subschema: `whole` validates a value with all that is in it, `own` the value alone. `parse`: of the text of an
    instant or a date. `may_hold_numbers`: it, or what is in it; `has_members`: a valid value may be or hold an object,
    or hold an instant or a date."""

    whole: jsonschema_rs.Draft202012Validator
    own: jsonschema_rs.Draft202012Validator
    parse: Callable[[str], datetime] | None
    required: tuple[str, ...]
    properties: Mapping[str, Part]
    is_closed: bool
    items: Part | None
    may_hold_numbers: bool
    has_members: bool


def as_part(schema: Mapping[str, Any], path: Path) -> Part:
    named = schema.get("type", _ANY_TYPE)
    types = {named} if isinstance(named, str) else set(named)
    properties = {name: as_part(inner, path) for name, inner in schema.get("properties", {}).items()}
    items = as_part(schema["items"], path) if "items" in schema else None
    is_closed = schema.get("additionalProperties") is False
    members = [*properties.values(), *([] if items is None else [items])]
    is_open = ("object" in types and not is_closed) or ("array" in types and items is None)
    return Part(
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


def times_in(part: Part, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Callable[[str], datetime]]]:
    """Places of instants and dates, at a place or below it, and what parses them."""
    if part.parse is not None:
        yield place, part.parse
    for name, inner in part.properties.items():
        yield from times_in(inner, (*place, name))
    if part.items is not None:
        yield from times_in(part.items, (*place, "*"))
