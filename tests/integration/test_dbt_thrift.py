"""What dbt does for less: no line that nobody reads."""

from __future__ import annotations

import json

from loader.silver import run_dbt
from loader.warehouse import Warehouse
from tests.checkouts import ROOT


def test_what_dbt_logs_and_how_it_ended_are_written_as_they_were(
    database: Warehouse, loader_environment: dict[str, str]
) -> None:
    """Prevents that with the lines that nobody reads, those that somebody needs stay out."""
    log = ROOT / ".local" / "dbt" / "logs" / "dbt.log"
    size = log.stat().st_size if log.exists() else 0
    assert run_dbt(database, ROOT, ["run", "--select", "stg_ops__manifest"], anchors={"run_id": "r-1"}).is_ok
    with log.open("rb") as lines:
        lines.seek(size)
        written = lines.read().decode()
    assert "OK created sql view model staging.stg_ops__manifest" in written and "[debug]" not in written
    results = json.loads((ROOT / ".local" / "dbt" / "target" / "run_results.json").read_bytes())
    assert results["metadata"]["env"] == {"RUN_ID": "r-1"}
    assert [each["unique_id"] for each in results["results"]] == [
        "operation.omnisupport.omnisupport-on-run-start-0",
        "model.omnisupport.stg_ops__manifest",
        "operation.omnisupport.omnisupport-on-run-end-0",
    ]
