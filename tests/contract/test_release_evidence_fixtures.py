from __future__ import annotations

import json
from typing import Any

import pytest

from loader.contract.schema import load_schema, schema_faults
from tests.contract.contract_fixtures import CONTRACTS, cases

PATH = CONTRACTS / "release_evidence" / "release_evidence_v2.schema.json"
SCHEMA = load_schema(PATH)


@pytest.mark.parametrize("case", cases("release_evidence", "valid"))
def test_a_valid_record_passes(case: dict[str, Any]) -> None:
    """Prevents: a schema that refuses the record of an act, or one that an earlier version wrote."""
    version = case["instance"]["evidence_schema_version"]
    assert schema_faults(load_schema(PATH.with_name(f"{version}.schema.json")), case["instance"]) == []


@pytest.mark.parametrize("case", cases("release_evidence", "invalid"))
def test_an_invalid_record_is_refused_at_its_place(case: dict[str, Any]) -> None:
    """Prevents: a record that does not say what was done, or by whom, and passes for proof."""
    assert case["json_path"] in [fault.json_path for fault in schema_faults(SCHEMA, case["instance"])]
    assert case["expect"] == ["evidence_schema_violation"]


def test_there_is_a_valid_record_of_every_act_but_one_that_looks_like_another() -> None:
    """An override is a publish with another word."""
    acts = set(json.loads(PATH.read_bytes())["properties"]["act"]["enum"])
    assert {case.values[0]["instance"]["act"] for case in cases("release_evidence", "valid")} == acts - {"override"}
