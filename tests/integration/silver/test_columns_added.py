"""What an incremental model adds: to columns of the same names and types, whatever their order."""

from __future__ import annotations

import json
from pathlib import Path

from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.e2e.commands import make_small_checkout
from tests.ingests import rows

CONFIG = "{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail') }}\n"
ONE = "1 as one, 'a' as two, array[1, 2] as three, 1.5::numeric(6, 2) as four"
OTHER_ORDER = "2.5::numeric(6, 2) as four, array[3] as three, 'b' as two, 2 as one"
OTHERS = {
    "a number with more digits": ONE.replace("(6, 2)", "(8, 2)"),
    "an array of others": ONE.replace("1, 2", "1::bigint"),
    "one more": f"{ONE}, 5 as five",
    "one less": ONE.replace(", 'a' as two", ""),
}


def test_rows_are_added_by_the_names_of_columns_and_never_to_others(
    database: Warehouse, loader_environment: dict[str, str], tmp_path: Path
) -> None:
    """Prevents values in the wrong column, and rows that a table's columns cannot hold as the model has them."""
    root = tmp_path / "checkout"
    make_small_checkout(root)
    # Parsed once: variables count where SQL is written.
    (root / "dbt_project/models/of_its_own.sql").write_text(CONFIG + "select {{ var('columns', '1 as one') }}")

    def is_built(columns: str) -> bool:
        words = json.dumps({"columns": columns})
        return run_dbt(database, root, ["run", "--select", "of_its_own", "--vars", words]).is_ok

    assert is_built(ONE) and is_built(OTHER_ORDER)
    held = rows(database, "select one, two, three, four::text from silver.of_its_own order by one")
    assert held == [(1, "a", [1, 2], "1.50"), (2, "b", [3], "2.50")]
    assert [name for name, columns in OTHERS.items() if is_built(columns)] == []
    assert rows(database, "select count(*) from silver.of_its_own") == [(2,)]
