"""A customer taken out of everything, and kept out."""

from __future__ import annotations

from pathlib import Path

import pytest

from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import rows
from tests.integration.privacy.people import (
    archived,
    deliver,
    dumped,
    erase_person,
    ingest,
    lines_of_first,
    lines_of_second,
    reported,
    traces,
)


@pytest.fixture
def warehouse(
    database: Warehouse, loader_environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Warehouse:
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
    ingest(deliver(tmp_path, "first", lines_of_first()))
    ingest(deliver(tmp_path, "second", lines_of_second(), is_gzip=True))
    return database


def test_nothing_of_an_erased_customer_is_left_and_every_line_keeps_a_fate(warehouse: Warehouse) -> None:
    assert traces(dumped(warehouse)) != [] and traces(archived()) != []
    erase_person()
    assert traces(dumped(warehouse)) == []
    assert traces(archived()) == []
    assert traces(reported()) == []
    build = run_dbt(warehouse, ROOT, ["build", "--exclude-resource-type", "unit_test"])
    assert [node.name for node in build.failed] == []
    assert rows(warehouse, "select fate, count(*) from reconcile.line_fate group by fate order by fate") == [
        ("blank", 1),
        ("duplicate", 1),
        ("erased", 9),
        ("landed", 4),
        ("rejected", 1),
    ]
    assert rows(warehouse, "select sum(unexplained_count) from reconcile.reconcile_asset") == [(0,)]
