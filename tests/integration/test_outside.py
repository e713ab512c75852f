"""What stands in the shell, in the current folder or in a home changes nothing of what the loader's dbt and dlt do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.warehouse import Role, Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, rows, ticket, write_export
from tests.shared_warehouse import Kept, fresh_database, kept, loader_variables

LOADER = (sys.executable, "-c", "from loader.cli import main; main()")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A warehouse with nothing in it, and one day's manifest."""

    manifest: Path
    environment: dict[str, str]
    kept: Kept


@pytest.fixture(scope="module")
def delivery(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivery]:
    root = tmp_path_factory.mktemp("outside")
    with fresh_database(server, _template) as database, pytest.MonkeyPatch.context() as patch:
        variables = loader_variables(database, root)
        for name, value in variables.items():
            patch.setenv(name, value)
        write_export(root / "e" / "tickets.jsonl", [*(ticket(number) for number in range(1, 41)), ticket(1), b"{"])
        manifest = declare(root / "e")
        with kept(server, database) as empty:
            yield Delivery(manifest, {**os.environ, "PYTHONPATH": str(ROOT)}, empty)


def ingest(delivery: Delivery, cwd: Path = ROOT, **hostile: str) -> dict[str, Any]:
    done = subprocess.run(
        [*LOADER, "ingest", "--manifest", str(delivery.manifest), "--json"],
        env={**delivery.environment, **hostile}, cwd=cwd, capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr[-3000:]
    return json.loads(done.stdout)


def test_x(delivery: Delivery, tmp_path: Path) -> None:
    delivery.kept.fresh()
    print(json.dumps(ingest(delivery), indent=1))
    for cols in rows(delivery.kept.database, "select table_name, string_agg(column_name, ',') from information_schema.columns where table_schema in ('bronze') group by 1"):
        print(cols)
    assert 0
