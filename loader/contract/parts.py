"""What a schema says of each field and of what is in it, a validator for every part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema_rs

from loader.contract.schema import compile_schema
from loader.contract.timestamps import (
    PARSER_OF_FORMAT,
)

# What a subschema says of values inside the value.
_OF_MEMBERS = ("properties", "required", "additionalProperties", "items")
_ANY_TYPE = ("null", "boolean", "number", "string", "array", "object")


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
