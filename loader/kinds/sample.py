"""One record that a JSON Schema accepts, made from what the schema says of each value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_INSTANT, _DAY = "2026-04-17T08:30:00Z", "2026-04-17"


class NoSampleError(ValueError):
    """A schema that no value can be made from; its text says what the schema needs."""


def sample(schema: Mapping[str, Any], place: str = "$") -> Any:
    """A value: the first of its `examples`, its `const`, the first of its list, or the shortest that its bounds let in.

    An object gets every declared field, required or not: Silver has a column for each. Raises NoSampleError where
    a pattern, or a keyword beyond these, decides and the schema gives no example.
    """
    if schema.get("examples"):
        return schema["examples"][0]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return next((value for value in schema["enum"] if value is not None), None)
    match type_of(schema):
        case "string":
            return _text(schema, place)
        case "boolean":
            return True
        case "integer" | "number":
            return _number(schema, place)
        case "array":
            items = schema.get("items", {"type": "string"})
            return [sample(items, f"{place}[{index}]") for index in range(max(1, schema.get("minItems", 0)))]
        case "object":
            return {name: sample(inner, f"{place}.{name}") for name, inner in schema.get("properties", {}).items()}
        case None:
            raise NoSampleError(f'{place}: its type is not said, and it has no example: add "examples": […]')
        case other:
            raise NoSampleError(f"{place}: got type {other}, which no record can have")


def type_of(schema: Mapping[str, Any]) -> str | None:
    """The JSON type of a value beside null; None: the schema does not say it, or says several."""
    named = schema.get("type")
    types = {named} if isinstance(named, str) else set(named or ())
    types -= {"null"}
    return next(iter(types)) if len(types) == 1 else None


def _text(schema: Mapping[str, Any], place: str) -> str:
    match schema.get("format"):
        case "date-time":
            return _INSTANT
        case "date":
            return _DAY
    for form in ("pattern", "format"):
        if form in schema:
            raise NoSampleError(f'{place}: has a {form}, and no example: add "examples": ["…"]')
    word = place.rpartition(".")[2] or "text"
    text = word.ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]


def _number(schema: Mapping[str, Any], place: str) -> int:
    """A whole one: it is valid as a number, too."""
    step = schema.get("multipleOf", 1)
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    value = least if isinstance(least, int) else int(least) + 1
    value += 1 if schema.get("exclusiveMinimum") == value else 0
    if not isinstance(step, int):
        step = 1
    value += -value % step
    if value > schema.get("maximum", value) or value >= schema.get("exclusiveMaximum", value + 1):
        raise NoSampleError(f'{place}: no whole number is within its bounds: add "examples": […]')
    return int(value)
