"""How relations are made: views are replaced in place, contracted tables are filled first and constrained after."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.integration.silver.dbt_runs import Dbt
from tests.integration.silver.scene import Scene

ALL = ("staging", "silver")
VIEWS = (
    "select nspname, relname, pg_class.oid from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace"
    " where nspname in ('staging', 'silver') and relkind = 'v' order by 1, 2"
)
SILVER = Path("dbt_project/models/silver")
NOT_NULL = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and attnotnull"
PRIMARY_KEY = "select pg_get_constraintdef(oid) from pg_constraint where conrelid = %s::regclass and contype = 'p'"
RUN_ASSET = "staging.stg_ops__run_asset"
AS_OWNER = "set local role omni_transform;"
COLUMNS = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"


def test_a_second_build_replaces_no_view(scene: Scene, dbt: Dbt) -> None:
    """dbt's own way drops, with each view, every view that reads it: a reader beside the build finds none."""
    assert dbt.run(select=ALL)
    before = scene.execute(VIEWS)
    assert dbt.run(select=["stg_ops__asset_index", "stg_bronze__raw_ticket_event"])
    assert scene.execute(VIEWS) == before


def test_changed_columns_are_taken_over(scene: Scene, dbt: Dbt) -> None:
    """After an upgrade the old view has columns that the model no longer has, or of another type."""
    assert dbt.run(select=ALL)
    expected = scene.execute(COLUMNS, RUN_ASSET)
    scene.execute(f"{AS_OWNER} drop view {RUN_ASSET}; create view {RUN_ASSET} as select 1 as odd, 2 as asset_id")
    assert dbt.run(select=ALL)
    assert scene.execute(COLUMNS, RUN_ASSET) == expected


def test_a_table_in_the_place_of_a_view_gives_way(scene: Scene, dbt: Dbt) -> None:
    """A model whose kind changed between versions must not stop the build."""
    scene.execute(f"{AS_OWNER} create table {RUN_ASSET} (odd integer)")
    assert dbt.run(select=ALL)
    assert scene.execute("select relkind from pg_class where oid = %s::regclass", RUN_ASSET) == [("v",)]


def test_a_contract_s_constraints_stand_on_the_full_table(scene: Scene, dbt: Dbt) -> None:
    """The table is filled first and constrained after; without them a doubled or empty key would be kept."""
    assert dbt.run(select=ALL)
    for table, key in (("ticket_fact", "ticket_id"), ("customer_dim", "customer_id")):
        contract = yaml.safe_load((SILVER / f"{table}.yml").read_text())["models"][0]["columns"]
        wanted = {column["name"] for column in contract if {"type": "not_null"} in column.get("constraints", [])}
        relation = f"silver.{table}"
        assert {name for (name,) in scene.execute(NOT_NULL, relation)} == wanted
        assert scene.execute(PRIMARY_KEY, relation) == [(f"PRIMARY KEY ({key})",)]
