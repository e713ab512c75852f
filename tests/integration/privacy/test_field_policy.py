"""dbt's test of the field policy, on a warehouse that keeps it and on ones that do not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT, make_checkout
from tests.ingests import rows
from tests.shared_warehouse import Kept, fresh_database, kept

TEST = "no_model_exposes_what_the_policy_blocks"


@pytest.fixture(scope="module")
def built(server: Warehouse, _template: str) -> Iterator[Kept]:
    with fresh_database(server, _template) as database:
        build = run_dbt(database, ROOT, ["build", "--exclude-resource-type", "unit_test"])
        assert [node.name for node in build.failed] == []
        with kept(server, database) as copy:
            yield copy


def blocked(database: Warehouse, project: Path = ROOT) -> int:
    """Columns and models that the test finds; the test itself must have run."""
    anew = ["--no-partial-parse"] if project != ROOT else []
    build = run_dbt(database, project, ["test", "--select", TEST, *anew])
    (node,) = [node for node in build.nodes if node.name == TEST]
    return node.failures or 0


def test_a_warehouse_as_it_is_built_keeps_the_policy(built: Kept) -> None:
    assert blocked(built.fresh()) == 0


EXPOSED = (
    "alter table silver.ticket_fact add column subject text",
    "alter table silver.customer_dim add column last_description text",
    "alter table reconcile.event_claim add column payload_subject text",
    "alter table release.ticket_fact add column description text",
    "create view serving.ticket_text as select raw_payload from bronze.raw_ticket_event",
    "create view serving.tickets as select raw_payload::jsonb as anything from bronze.raw_ticket_event",
    "create table silver.rejects as select raw_line from bronze.rejected_record",
    "create schema m authorization omni_transform; set local role omni_transform; create table m.x (subject text)",
    "create table silver.lines as select raw_line as content from bronze.rejected_record",
)


def test_each_relation_with_a_blocked_column_is_found(built: Kept) -> None:
    """Prevents free text, or a whole record under whatever name, in what readers and indexes are made from."""
    database = built.fresh()
    for statement in EXPOSED:
        rows(database, statement)
    assert blocked(database) == len(EXPOSED)


@pytest.mark.long
def test_a_field_that_may_be_stored_but_not_served_is_found_in_serving_only(built: Kept, tmp_path: Path) -> None:
    """The two actions of the policy are two: Silver may need what readers may not look up."""
    database = built.fresh()
    project = _project(tmp_path)
    macro = project / "dbt_project" / "macros" / "kinds" / "declared_kinds.sql"
    before = '{"field":"assignee_id","column":"assignee_id","type":"text","level":"pseudonymous","serve":true'
    assert before in macro.read_text()
    macro.write_text(macro.read_text().replace(before, before.replace('"serve":true', '"serve":false')))
    # The view's column, and the SQL of its model.
    assert blocked(database, project) == 2


def test_a_model_that_reads_a_blocked_field_under_another_name_is_found(built: Kept, tmp_path: Path) -> None:
    """Prevents `subject as title`: the result's columns alone would not tell."""
    database = built.fresh()
    project = _project(tmp_path)
    model = project / "dbt_project" / "models" / "silver" / "ticket_fact.sql"
    before = "record_fields ->> 'product_version' as product_version"
    assert before in model.read_text()
    model.write_text(model.read_text().replace(before, "coalesce(record_fields ->> 'subject', '') as product_version"))
    assert blocked(database, project) == 1


def _project(tmp_path: Path) -> Path:
    """A checkout with a dbt project of its own, to be changed."""
    root = tmp_path / "project"
    make_checkout(root)
    (root / "dbt_project").unlink()
    shutil.copytree(ROOT / "dbt_project", root / "dbt_project", ignore=shutil.ignore_patterns("target", "logs"))
    return root
