"""The drill, as an operator types it: five incidents, five recoveries, and nothing of it left behind."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import LOADER
from tests.ingests import rows


@pytest.mark.long
def test_every_incident_is_recovered_and_nothing_else_touched(
    database: Warehouse, loader_environment: dict[str, str], tmp_path: Path
) -> None:
    done = subprocess.run(
        [*LOADER, "drill", "--json"],
        cwd=ROOT,
        env={**loader_environment, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    outcomes = json.loads(done.stdout)["outcomes"]
    assert [(outcome["verb"], outcome["is_recovered"]) for outcome in outcomes] == [
        ("backfill", True),
        ("rerun", True),
        ("backfill", True),
        ("rebuild", True),
        ("retry", True),
    ]
    assert [len(outcome["facts"]) for outcome in outcomes] == [4, 4, 4, 5, 8]
    assert all(holds is True for outcome in outcomes for holds in outcome["facts"].values())
    assert outcomes[0]["seen"].endswith(", 0 partitions in the warehouse")
    assert outcomes[-1]["seen"] == "killed while it loaded; diagnose: retry"
    assert rows(database, "select count(*) from ops.ingest_run") == [(0,)]
    assert not (tmp_path / "raw_zone").exists() and not (tmp_path / "reports").exists()
    with closing(database.connect(application_name="test")) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_database where datname like '%\\_drill\\_%'")
        assert cursor.fetchone() == (0,)
