"""The reference validator: jsonschema with format checking. Slow, so the loader itself never asks it.

It judges tickets, which have no date, and also texts of one format alone.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator

from loader.kinds import schema_file
from tests.contract.contract_fixtures import CONTRACTS


@cache
def contract() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(schema_file(CONTRACTS, "ticket_v1").read_bytes())
    return schema


@cache
def _reference() -> Any:
    return Draft202012Validator(contract(), format_checker=Draft202012Validator.FORMAT_CHECKER)


@cache
def _fast() -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(contract(), validate_formats=True)


@cache
def _of_format(name: str) -> tuple[Any, jsonschema_rs.Draft202012Validator]:
    schema = {"type": "string", "format": name}
    reference = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return reference, jsonschema_rs.Draft202012Validator(schema, validate_formats=True)


def verdicts_of_format(name: str, text: str) -> tuple[bool, bool]:
    """What both say of a text of that format: jsonschema, and jsonschema-rs."""
    reference, fast = _of_format(name)
    return bool(reference.is_valid(text)), fast.is_valid(text)


def reference_accepts(record: Any) -> bool:
    """jsonschema's verdict on a record."""
    return bool(_reference().is_valid(record))


def fast_accepts(record: Any) -> bool:
    """The verdict of jsonschema-rs, which the judge asks."""
    try:
        return _fast().is_valid(record)
    except UnicodeEncodeError:  # it cannot even be shown a lone surrogate
        return False
