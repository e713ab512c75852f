"""The field policy against its schema, the ticket contract, and everything in dbt that must follow it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from loader.errors import CommandUsageError
from loader.privacy.policy import MACRO_FILE, POLICY_FILE, as_macro, load_policy
from tests.checkouts import ROOT

CONTRACTS = ROOT / "contracts"


def test_the_policy_keeps_free_text_in_bronze() -> None:
    """Prevents a rule that lets the customer's words into Silver, an index or a report."""
    policy = load_policy(CONTRACTS)
    blocked = {rule.field for rule in policy.rules if not rule.may_be_in_silver}
    assert blocked == {"subject", "description"}
    assert {rule.field for rule in policy.rules if rule.level == "free_text"} == blocked
    assert not any(rule.may_be_retrieved or rule.may_be_shown for rule in policy.rules if rule.field in blocked)
    assert not any(rule.may_be_shown for rule in policy.rules if rule.level == "pseudonymous")


def _new_field(contracts: Path) -> None:
    path = contracts / "data" / "ticket_v1.schema.json"
    contract = json.loads(path.read_bytes())
    contract["properties"]["phone"] = {"type": "string"}
    path.write_text(json.dumps(contract))


def _edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def apply(contracts: Path) -> None:
        policy = json.loads((contracts / POLICY_FILE).read_bytes())
        change(policy)
        (contracts / POLICY_FILE).write_text(json.dumps(policy))

    return apply


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_new_field, "phone: a field of the contract without a rule"),
        (_edit(lambda policy: policy["fields"].pop("tags")), "tags: a field of the contract without a rule"),
        (_edit(lambda policy: policy["fields"].update(phone=policy["fields"]["tags"])), "phone: a field of"),
        (_edit(lambda policy: policy["fields"]["subject"]["storage"].update(silver="keep")), "subject.storage.silver"),
        (_edit(lambda policy: policy["fields"]["customer_id"].update(output="show")), "customer_id.output"),
        (_edit(lambda policy: policy["fields"]["owner"]["storage"].update(silver="block")), "owner.retrieval"),
        (_edit(lambda policy: policy["fields"]["owner"].update(column="x'); drop table y --")), "owner.column"),
        (_edit(lambda policy: policy["containers"].append("{{ evil }}")), "containers"),
    ],
    ids=["new field", "rule gone", "rule of nothing", "free text", "shown", "blocked, yet served", "quote", "braces"],
)
def test_a_policy_that_says_too_little_or_too_much_is_refused(
    change: Callable[[Path], None], named: str, tmp_path: Path
) -> None:
    """Prevents a field that nobody has judged, and text of the policy that would become SQL."""
    contracts = tmp_path / "contracts"
    shutil.copytree(CONTRACTS, contracts, ignore=shutil.ignore_patterns("fixtures"))
    change(contracts)
    with pytest.raises(CommandUsageError, match=re.escape(named)):
        load_policy(contracts)


def test_dbt_has_the_policy_as_it_is() -> None:
    """Prevents a change of the file that dbt's test never hears of. Next: python -m loader.privacy.policy"""
    assert (ROOT / MACRO_FILE).read_text() == as_macro(load_policy(CONTRACTS))


def test_silver_types_the_fields_that_the_policy_lets_in() -> None:
    """ticket_fields is what Silver holds and reconcile compares: no field more, none less but the delivery's own."""
    text = (ROOT / "dbt_project" / "macros" / "reconcile" / "ticket_fields.sql").read_text()
    typed = dict(re.findall(r"'field': '(\w+)', 'column': '(\w+)'", text))
    allowed = {rule.field: rule.column for rule in load_policy(CONTRACTS).rules if rule.may_be_in_silver}
    assert typed == {field: column for field, column in allowed.items() if field != "ingest_batch_id"}
    (model,) = yaml.safe_load((ROOT / "dbt_project/models/silver/ticket_fact.yml").read_text())["models"]
    assert set(allowed.values()) - {column["name"] for column in model["columns"]} == set()
