"""The reference validator: jsonschema with format checking. Slow, so the loader itself never asks it."""

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


def reference_accepts(record: Any) -> bool:
    """jsonschema's verdict on a record."""
    return bool(_reference().is_valid(record))


def fast_accepts(record: Any) -> bool:
    """The verdict of jsonschema-rs, which the judge asks."""
    try:
        return _fast().is_valid(record)
    except UnicodeEncodeError:  # it cannot even be shown a lone surrogate
        return False
