from __future__ import annotations

import hashlib
from datetime import UTC, date
from typing import Any

import orjson
import pytest

from loader.contract.record import AcceptedRecord, RejectedRecord
from loader.contract.schema import load_reason_codes
from loader.facts import DEFECT_CODES
from loader.kinds import Ruleset, load_kinds, load_ruleset
from loader.kinds.judge import too_long
from tests.contract.contract_fixtures import CONTRACTS, cases, content_of, prefix_of
from tests.contract.reference import contract, fast_accepts, reference_accepts


@pytest.fixture(scope="module")
def ruleset() -> Ruleset:
    return load_ruleset(CONTRACTS)


@pytest.mark.parametrize("case", cases("ticket_v1", "valid"))
def test_a_valid_line_is_accepted_with_its_day_and_warnings(ruleset: Ruleset, case: dict[str, Any]) -> None:
    """Prevents: the loader refuses what the contract allows, or files a record under the wrong day."""
    judged = ruleset.judge(content_of(case))
    assert isinstance(judged, AcceptedRecord), judged
    assert list(judged.warning_codes) == case["warnings"]
    assert judged.partition_key == date.fromisoformat(case["partition_key"])
    assert judged.created_at.tzinfo is UTC
    assert judged.record_fingerprint == hashlib.sha256(judged.canonical).digest()
    assert judged.event_id == judged.record_fingerprint[:16]


@pytest.mark.parametrize("case", cases("ticket_v1", "valid"))
def test_both_validators_accept_a_valid_record(ruleset: Ruleset, case: dict[str, Any]) -> None:
    """Prevents: a record lands that the reference would have refused."""
    record = orjson.loads(content_of(case))
    assert reference_accepts(record)
    assert fast_accepts(record)


@pytest.mark.parametrize("case", cases("ticket_v1", "invalid"))
def test_an_invalid_line_gets_exactly_its_reason_codes(
    ruleset: Ruleset, case: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """Prevents: a reject that nobody can act on, or a fault that hides another."""
    is_long = "length_bytes" in case
    judged = too_long(case["length_bytes"], b"") if is_long else ruleset.judge(content_of(case))
    assert isinstance(judged, RejectedRecord), judged
    assert list(judged.reason_codes) == case["expect"]
    assert judged.json_path == case["json_path"]
    assert judged.partition_key == (case["partition_key"] and date.fromisoformat(case["partition_key"]))
    assert prefix_of(request) in case["expect"]


def test_every_line_reason_code_has_a_fixture() -> None:
    """Prevents: a reason code in the closed list that no line of any kind can get."""
    reasons = load_reason_codes(CONTRACTS)
    landed = [kind.name for kind in load_kinds(CONTRACTS).values() if kind.is_landed]
    invalid = [case.values[0] for kind in landed for case in cases(kind, "invalid")]
    rejects = {code for case in invalid for code in case.get("expect", ())}
    named = {str(case.id).split(".")[0] for kind in landed for case in cases(kind, "invalid")}
    warnings = {code for kind in landed for case in cases(kind, "valid") for code in case.values[0].get("warnings", ())}
    # No landed kind has a date; what is wrong with a file is seen in its bytes (tests/facts).
    assert rejects | named == reasons.codes("line", "reject") - {"invalid_date"} - DEFECT_CODES
    assert warnings == reasons.codes("line", "warn")


def test_the_contract_has_exactly_the_agreed_fields() -> None:
    """Prevents: a field that slips into or out of the contract unnoticed."""
    required = (
        "ticket_id schema_version source_id ingest_batch_id customer_id status priority product_line"
        " created_at pii_level quality_gate owner"
    )
    optional = (
        "org_id category product_version subject description error_codes asset_ids assignee_id sla_tier"
        " sla_due_at updated_at resolved_at pii_redacted tags"
    )
    assert contract()["required"] == required.split()
    assert set(contract()["properties"]) == {*required.split(), *optional.split()}
    assert contract()["additionalProperties"] is False
    nullable = {name for name, schema in contract()["properties"].items() if "null" in schema["type"]}
    assert nullable == {"assignee_id", "sla_due_at", "updated_at", "resolved_at"}
