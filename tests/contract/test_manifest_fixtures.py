from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from jsonschema import Draft202012Validator

from loader.contract.schema import load_reason_codes
from loader.manifest import ManifestRefusedError, parse_manifest
from tests.contract.contract_fixtures import CONTRACTS, cases, content_of, prefix_of

PATH = Path("data/seed_manifests/under_test.json")


@pytest.mark.parametrize("case", cases("manifest", "valid"))
def test_a_valid_manifest_is_read_whole(case: dict[str, Any]) -> None:
    """Prevents: a good batch is refused, or its bytes are not those that are recorded."""
    content = content_of(case)
    manifest = parse_manifest(content, PATH, CONTRACTS)
    assert manifest.content == content
    assert manifest.path == PATH
    assert [asset.source_id for asset in manifest.assets] == [one["source_id"] for one in case["instance"]["assets"]]


@pytest.mark.parametrize("case", cases("manifest", "valid"))
def test_the_reference_validator_accepts_a_valid_manifest(case: dict[str, Any]) -> None:
    """Prevents: a manifest schema that only one validator understands."""
    schema = json.loads((CONTRACTS / "manifest" / "manifest_v1.schema.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    checker = Draft202012Validator.FORMAT_CHECKER
    assert Draft202012Validator(schema, format_checker=checker).is_valid(case["instance"])


@pytest.mark.parametrize("case", cases("manifest", "invalid"))
def test_an_invalid_manifest_is_refused_by_its_reason_code_and_place(
    case: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    """Prevents: a broken declaration starts a run, or its author has to guess what is wrong."""
    with pytest.raises(ManifestRefusedError) as refusal:
        parse_manifest(content_of(case), PATH, CONTRACTS)
    violations = refusal.value.violations
    assert sorted({violation.reason_code for violation in violations}) == case["expect"]
    assert [violation.json_path for violation in violations] == [case["json_path"]]
    assert prefix_of(request) in case["expect"]
    assert str(PATH) in refusal.value.message
    assert refusal.value.exit_code == 1
    assert refusal.value.next_command


def test_every_manifest_reason_code_has_a_fixture() -> None:
    """Prevents: a rule that was never seen to refuse anything."""
    covered = {code for case in cases("manifest", "invalid") for code in case.values[0]["expect"]}
    assert covered == load_reason_codes(CONTRACTS).codes("manifest")


@pytest.mark.parametrize("path", sorted(CONTRACTS.rglob("*.schema.json")), ids=lambda path: path.name)
def test_every_schema_is_valid_json_schema_2020_12(path: Path) -> None:
    """Prevents: a misspelt keyword that checks nothing."""
    schema = json.loads(path.read_bytes())
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert jsonschema_rs.meta.is_valid(schema)
    Draft202012Validator.check_schema(schema)
