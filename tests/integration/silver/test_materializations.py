"""Views and tables that are replaced in place: what reads them stays, and changed columns still come through."""

from __future__ import annotations

from tests.integration.silver.dbt_runs import Dbt
from tests.integration.silver.scene import Scene

ALL = ("staging", "silver", "reconcile")
RELATIONS = (
    "select nspname, relname, pg_class.oid from pg_class inner join pg_namespace on pg_namespace.oid = relnamespace"
    " where nspname in ('staging', 'silver', 'reconcile') and relkind in ('r', 'v') order by 1, 2"
)
COLUMNS = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"


def test_a_second_build_replaces_no_relation(scene: Scene, dbt: Dbt) -> None:
    """dbt's own way drops, with each view or table, every view that reads it: a reader beside the build finds none."""
    assert dbt.run(select=ALL)
    before = scene.execute(RELATIONS)
    assert dbt.run(select=["stg_ops__asset_index", "reconcile_load", "reconcile_event"])
    assert scene.execute(RELATIONS) == before


def test_changed_columns_are_taken_over(scene: Scene, dbt: Dbt) -> None:
    """After an upgrade the old view or table has columns that the model no longer has, or of another type."""
    assert dbt.run(select=ALL)
    views, tables = "staging.stg_ops__ruleset", "reconcile.reconcile_reject"
    expected = {relation: scene.execute(COLUMNS, relation) for relation in (views, tables)}
    scene.execute(f"drop view {views}; create view {views} as select 1 as odd, 2 as ruleset_id")
    scene.execute(f"alter table {tables} add column odd integer")
    assert dbt.run(select=ALL)
    assert {relation: scene.execute(COLUMNS, relation) for relation in (views, tables)} == expected


def test_a_view_becomes_a_table_and_a_table_a_view(scene: Scene, dbt: Dbt) -> None:
    """A model whose kind changed between versions must not stop the build."""
    scene.execute("create schema staging; create table staging.stg_ops__ruleset (odd integer)")
    scene.execute("create schema reconcile; create view reconcile.reconcile_reject as select 1 as odd")
    assert dbt.run(select=ALL)
    kinds = "select relkind from pg_class where oid = %s::regclass"
    assert scene.execute(kinds, "staging.stg_ops__ruleset") == [("v",)]
    assert scene.execute(kinds, "reconcile.reconcile_reject") == [("r",)]
