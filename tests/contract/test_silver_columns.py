"""Silver's columns and closed lists against the ticket contract, which is the only list of both."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = json.loads((ROOT / "contracts" / "kinds" / "ticket_v1" / "schema.json").read_text())
SILVER = ROOT / "dbt_project" / "models" / "silver"
# Free text that may hold personal data, and the envelope field of a single delivery (kept as lineage).
STAYS_IN_BRONZE = {"subject", "description"}
RENAMED = {"source_id": "record_source"}


def columns(model: str) -> dict[str, dict[str, Any]]:
    (described,) = yaml.safe_load((SILVER / f"{model}.yml").read_text())["models"]
    return {column["name"]: column for column in described["columns"]}


def accepted_values(column: dict[str, Any]) -> list[str] | None:
    values: list[str] | None = column.get("config", {}).get("meta", {}).get("accepted_values")
    return values


def test_ticket_fact_has_every_field_of_the_contract_but_free_text() -> None:
    """A field added to the contract would otherwise stop in Bronze without anybody noticing."""
    expected = {RENAMED.get(name, name) for name in CONTRACT["properties"]} - STAYS_IN_BRONZE
    assert expected - set(columns("ticket_fact")) == set()
    assert STAYS_IN_BRONZE & set(columns("ticket_fact")) == set()


def test_required_fields_of_the_contract_are_not_null_in_ticket_fact() -> None:
    """A null there means that the payload was read wrongly."""
    not_null = {
        name for name, column in columns("ticket_fact").items() if {"type": "not_null"} in column.get("constraints", [])
    }
    assert {RENAMED.get(name, name) for name in CONTRACT["required"]} - not_null == set()


@pytest.mark.parametrize("model", ["ticket_fact", "customer_dim"])
def test_accepted_values_are_the_lists_of_the_contract(model: str) -> None:
    """A list in a yml is a copy: this keeps it one."""
    described = columns(model)
    lists = {name: field["enum"] for name, field in CONTRACT["properties"].items() if "enum" in field}
    tested = {name: accepted_values(described[name]) for name in lists if name in described}
    assert tested == {name: lists[name] for name in tested}
    assert set(tested) == (set(lists) if model == "ticket_fact" else {"sla_tier"})


@pytest.mark.parametrize("path", sorted((ROOT / "dbt_project" / "models").rglob("*.sql")), ids=lambda path: path.stem)
def test_every_model_has_a_yml_that_says_its_grain(path: Path) -> None:
    """One yml beside each model; a description starts with the grain and no column is left without a meaning."""
    described = yaml.safe_load(path.with_suffix(".yml").read_text())["models"]
    assert [model["name"] for model in described] == [path.stem]
    assert described[0]["description"].startswith("One row per ")
    assert [column["name"] for column in described[0]["columns"] if not column.get("description")] == []
