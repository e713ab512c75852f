"""What is released has the columns of Silver, which hold no free text."""

from __future__ import annotations

import re

import yaml

from tests.checkouts import ROOT

MODELS = ROOT / "dbt_project" / "models"
OWN = {"first_release_id", "end_release_id", "row_digest"}


def _described(path: str) -> dict[str, str]:
    (model,) = yaml.safe_load((MODELS / path).read_text())["models"]
    return {column["name"]: column["data_type"] for column in model["columns"]}


def _stored() -> dict[str, str]:
    ddl = (ROOT / "infra" / "postgres" / "04_release_rows.sql").read_text()
    (body,) = re.findall(r"create table if not exists release\.ticket_fact \((.*?)\n    primary key", ddl, re.DOTALL)
    return dict(re.findall(r"^    (\w+) (\w+(?:\[\])?)", body, re.MULTILINE))


def test_every_column_of_silver_is_released_with_its_type() -> None:
    """Prevents a column that is built and proved and never reaches a reader."""
    stored = {name: kind for name, kind in _stored().items() if name not in OWN}
    assert stored == _described("silver/ticket_fact.yml")


def test_readers_see_every_released_column_and_which_release_it_is_of() -> None:
    stored = {name: kind for name, kind in _stored().items() if name not in OWN}
    assert _described("serving/serving_ticket_fact.yml") == {**stored, "data_release_id": "bigint"}
