"""What an erasure plans and what it leaves: cases that must pass, and cases that must not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from loader.config import load_settings
from loader.contract.schema import load_schema, schema_faults
from loader.erasure import read_erasure_plan
from tests.contract.contract_fixtures import CONTRACTS, cases

SCHEMAS = {
    path.name.removesuffix(".schema.json"): load_schema(path)
    for path in (CONTRACTS / "privacy").glob("erasure_*.schema.json")
}


def version_of(instance: dict[str, Any]) -> str:
    return str(instance.get("plan_schema_version") or instance.get("evidence_schema_version"))


@pytest.mark.parametrize("case", cases("erasure", "valid"))
def test_a_valid_one_passes(case: dict[str, Any]) -> None:
    """Prevents: a schema that refuses what `loader erase` writes."""
    assert schema_faults(SCHEMAS[version_of(case["instance"])], case["instance"]) == []


@pytest.mark.parametrize("case", cases("erasure", "invalid"))
def test_an_invalid_one_is_refused_at_its_place(case: dict[str, Any]) -> None:
    """Prevents: a plan that erases something else than was read, or a record that names the person."""
    faults = schema_faults(SCHEMAS[case["schema"]], case["instance"])
    assert case["json_path"] in [fault.json_path for fault in faults]


@pytest.mark.parametrize("case", [case for case in cases("erasure", "valid") if case.id.startswith("plan")])
def test_a_plan_of_an_earlier_version_is_read_as_what_it_says_of_todays(case: dict[str, Any], tmp_path: Path) -> None:
    """Prevents: a plan that was reviewed before an upgrade, and cannot be applied after it."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(case["instance"]))
    said = {name: value for name, value in case["instance"].items() if name != "ticket_count"}
    assert read_erasure_plan(load_settings(), path) == {**said, "plan_schema_version": "erasure_plan_v2"}


def test_each_schema_has_a_valid_case() -> None:
    assert {version_of(case.values[0]["instance"]) for case in cases("erasure", "valid")} == set(SCHEMAS)


def test_no_schema_has_a_field_for_the_person() -> None:
    for name in SCHEMAS:
        fields = json.loads((CONTRACTS / "privacy" / f"{name}.schema.json").read_bytes())["properties"]
        assert {field for field in fields if "customer" in field or "person" in field} == {"customer_hash"}
