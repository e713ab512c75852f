from __future__ import annotations

from typing import Any

import pytest

from loader.contract.schema import load_reason_codes, load_schema, schema_faults
from tests.contract.contract_fixtures import CONTRACTS, cases

SCHEMA = load_schema(CONTRACTS / "run_evidence" / "run_evidence_v1.schema.json")


@pytest.mark.parametrize("case", cases("run_evidence", "valid"))
def test_a_valid_report_passes(case: dict[str, Any]) -> None:
    """Prevents: a schema that refuses the reports which readers need."""
    assert schema_faults(SCHEMA, case["instance"]) == []
    known = {code for scope in ("line", "asset", "manifest", "run") for code in _codes(scope)}
    assert set(case["instance"]["reason_codes"]) <= known


@pytest.mark.parametrize("case", cases("run_evidence", "invalid"))
def test_an_invalid_report_is_refused_at_its_place(case: dict[str, Any]) -> None:
    """Prevents: a report that looks like proof and lacks it."""
    faults = schema_faults(SCHEMA, case["instance"])
    assert case["json_path"] in [fault.json_path for fault in faults]
    assert case["expect"] == ["evidence_schema_violation"]
    assert set(case["expect"]) <= _codes("run")


def _codes(scope: Any) -> frozenset[str]:
    return load_reason_codes(CONTRACTS).codes(scope)
