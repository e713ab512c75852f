from __future__ import annotations

from pathlib import Path

import pytest

from loader.contract.lenient_json import UnreadableError, has_duplicate_key, read_leniently
from loader.contract.schema import SchemaFault, compile_schema, json_path, schema_faults
from loader.errors import CommandUsageError

SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "days": {"type": "array", "items": {"format": "date"}}},
}


def test_faults_name_keyword_place_and_what_came() -> None:
    """Prevents: a refusal without the place, or with a page of repeated input."""
    validator = compile_schema(SCHEMA, Path("schema.json"))
    faults = schema_faults(validator, {"days": ["2026-04-17", "2026-02-30"], "x y": 1, "é": 2})
    assert sorted(faults, key=lambda fault: fault.json_path) == [
        SchemaFault("format", "$.days[1]", "got '2026-02-30': the value is not a \"date\""),
        SchemaFault("required", "$.name", "required field is missing"),
        SchemaFault("additionalProperties", "$['\\xe9']", "unknown field"),
        SchemaFault("additionalProperties", "$['x y']", "unknown field"),
    ]
    (fault,) = schema_faults(validator, {"name": ["x" * 500]})
    assert len(fault.message) < 160
    assert schema_faults(validator, {"name": "a"}) == []


def test_a_schema_that_is_none_is_refused() -> None:
    """Prevents: a misspelt type that checks nothing."""
    with pytest.raises(CommandUsageError, match=r"schema\.json"):
        compile_schema({"type": "objekt"}, Path("schema.json"))


def test_a_path_is_ascii_whatever_the_names() -> None:
    """Prevents: a message that breaks a terminal or a log line."""
    assert json_path(["assets", 2, "license"]) == "$.assets[2].license"
    assert json_path(["a\nb", "\ud800"]) == "$['a\\nb']['\\ud800']"
    assert json_path([]) == "$"


@pytest.mark.parametrize(
    ("text", "record", "expected"),
    [
        ('{"a":"1","b":"2"}', {"a": "1", "b": "2"}, False),
        ('{"a":"1","a":"2"}', {"a": "2"}, True),
        ('{"a" :"1","a":"2"}', {"a": "2"}, True),
        ('{"a":"1","\\u0061":"2"}', {"a": "2"}, True),
        ('{"a":"\\":","b":"2"}', {"a": '":', "b": "2"}, False),
        # Two keys, one of them twice in disguise, and a text that looks like a key.
        ('{"a"\n:"\\":","a"\t:"2"}', {"a": "2"}, True),
        ('{"a":{"b":"1","b":"2"}}', {"a": {"b": "2"}}, True),
        ('{"a":{"b":"1"}}', {"a": {"b": "1"}}, False),
    ],
)
def test_a_key_that_stands_twice_is_found_however_it_is_written(text: str, record: object, expected: bool) -> None:
    """Prevents: the fast check counts quotes and misses a disguised key."""
    assert isinstance(record, dict)
    assert has_duplicate_key(text.encode(), record) is expected


def test_reading_depends_on_the_text_and_not_on_the_call_stack() -> None:
    """Prevents: a line that is malformed in one command and readable in another."""
    assert read_leniently("[" * 64 + "]" * 64).value is not None
    assert read_leniently('["' + "[" * 200 + '"]').value == ["[" * 200]
    with pytest.raises(UnreadableError, match="nested deeper than 64"):
        read_leniently("[" * 65 + "]" * 65)
    assert read_leniently("[" + "[]," * 500 + "[]]").has_duplicate_key is False
