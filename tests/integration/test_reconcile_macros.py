"""The macros that reconcile stands on, each run by dbt on data in which a known difference must be seen."""

from __future__ import annotations

from pathlib import Path

from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT

CASES = sorted(path.stem for path in Path(ROOT, "dbt_project", "tests", "macros").glob("*.sql"))


def test_every_macro_sees_the_difference_that_it_is_for(database: Warehouse) -> None:
    """A macro that compares nothing would make every check above it pass."""
    arguments = ["test", "--select", "path:tests/macros", "--vars", "{macro_tests: true}", "--no-partial-parse"]
    build = run_dbt(database, ROOT, arguments)
    assert [(node.name, node.failures, node.message) for node in build.failed] == []
    assert sorted(node.name for node in build.nodes if node.unique_id.startswith("test.")) == CASES
