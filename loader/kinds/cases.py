"""The first fixtures of a new kind: a valid record, and what is wrong of it in a few ways."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from loader.contract import CODE_OF_FORMAT, PARSER_OF_FORMAT, TimestampError

if TYPE_CHECKING:
    from loader.kinds.new import Wish

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


def first_cases(schema: Mapping[str, Any], wish: Wish) -> dict[str, dict[str, Any]]:
    """A valid record, and what is wrong of it in a few ways; each by the code that it gets."""
    record = sample(schema)
    properties = schema["properties"]
    day = _day(record[wish.partition], properties[wish.partition], f"$.{wish.partition}")
    without = {name: value for name, value in record.items() if name != wish.key}
    cases = {
        "valid/whole.json": {"about": "Every field.", "partition_key": day, "instance": record},
        f"invalid/missing_required_field.{wish.key}.json": {
            "about": "Without its key.",
            "json_path": f"$.{wish.key}",
            "partition_key": day,
            "instance": without,
        },
        f"invalid/wrong_type.{wish.key}.json": {
            "about": "A key of another type.",
            "json_path": f"$.{wish.key}",
            "instance": {**record, wish.key: 7 if isinstance(record[wish.key], str) else "seven"},
        },
        f"invalid/{CODE_OF_FORMAT[properties[wish.partition]['format']]}.{wish.partition}.json": {
            "about": "No day can be read.",
            "json_path": f"$.{wish.partition}",
            "partition_key": None,
            "instance": {**record, wish.partition: "yesterday"},
        },
        "invalid/malformed_json.cut_off.json": {"about": "Cut off.", "line": json.dumps(record)[:-1]},
    }
    if schema.get("additionalProperties") is False:
        cases["invalid/unknown_field.extra.json"] = {
            "about": "A field more than the schema has.",
            "instance": {**record, "field_that_is_none": 1},
        }
    dated = next((name for name, field in properties.items() if field.get("format") == "date"), None)
    if dated is not None:
        cases[f"invalid/invalid_date.{dated}.no_such_day.json"] = {
            "about": "February has no such day.",
            "json_path": f"$.{dated}",
            "instance": {**record, dated: "2026-02-30"},
        }
    closed = next((name for name, field in properties.items() if "enum" in field), None)
    if closed is not None:
        cases[f"invalid/invalid_enum_value.{closed}.json"] = {
            "about": "Not in the list.",
            "json_path": f"$.{closed}",
            "instance": {**record, closed: "a value that is not in the list"},
        }
    return cases


def _day(value: Any, field: Mapping[str, Any], place: str) -> str:
    """The partition of a record by that value, which a schema's example may be."""
    try:
        return PARSER_OF_FORMAT[field["format"]](str(value)).date().isoformat()
    except TimestampError as error:
        raise NoSampleError(f"{place}: its example is no value of it: {error.message}") from error
