"""What is watched for drift against the ticket contract; the page on thresholds against the thresholds."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from loader.contract.schema import load_reason_codes
from loader.kinds import load_kinds
from tests.checkouts import ROOT
from tests.contract.contract_fixtures import CONTRACTS

CONTRACT = json.loads((CONTRACTS / "kinds" / "ticket_v1" / "schema.json").read_text())
PAGE = (ROOT / "docs" / "drift.md").read_text()


def test_every_closed_list_and_every_optional_field_of_the_contract_is_watched() -> None:
    """A field added to the contract would otherwise drift without anybody noticing."""
    landing = load_kinds(CONTRACTS)["ticket_v1"].landing
    assert landing is not None
    fields: dict[str, Any] = CONTRACT["properties"]
    watched = [field.name for field in landing.fields if field.is_mix_watched]
    assert sorted(watched) == sorted(name for name, field in fields.items() if "enum" in field)
    optional = [field.name for field in landing.fields if not field.is_required]
    assert sorted(optional) == sorted(set(fields) - set(CONTRACT["required"]))


def test_the_page_names_every_threshold_with_its_value_and_every_kind() -> None:
    limits = yaml.safe_load((ROOT / "dbt_project" / "dbt_project.yml").read_text())["vars"]["drift"]
    told = re.findall(r"^\| `(\w+)` \| (\S+) \|", PAGE, re.MULTILINE)
    assert told == [(name, "null" if value is None else str(value)) for name, value in limits.items()]
    kinds = re.findall(r"^\| `(drift_\w+)` \|", PAGE, re.MULTILINE)
    codes = load_reason_codes(CONTRACTS).codes("run", "warn")
    assert sorted(kinds) == sorted(code for code in codes if code.startswith("drift_"))


def test_every_kind_that_dbt_names_is_a_reason_code() -> None:
    """A code in the evidence that the closed list does not have would say nothing to its reader."""
    models = (ROOT / "dbt_project" / "models" / "reconcile" / "drift").glob("*.sql")
    named = {code for model in models for code in re.findall(r"(?<!ref\()'(drift_\w+)'", model.read_text())}
    assert named == {code for code in load_reason_codes(CONTRACTS).codes("run", "warn") if code.startswith("drift_")}
