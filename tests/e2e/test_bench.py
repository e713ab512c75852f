"""The benchmark at a small size: it must run, compare equal rows, and find no ratio far off."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import floor_b
from bench.__main__ import far_off
from bench.exports import make_exports
from bench.measure import BenchError
from bench.routes import by_hand, proved_by_hand
from bench.warehouses import query
from loader.config import Settings, load_settings
from loader.warehouse import Warehouse
from tests.checkouts import ROOT

FROZEN = (".py", ".sql", ".json")


def bench(environment: dict[str, str], tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    places = ("--out", str(tmp_path / "out"), "--work", str(tmp_path / "work"))
    command = [sys.executable, "-m", "bench", *arguments, *places]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_a_small_bench_measures_every_route_and_none_is_far_off(project: Settings, tmp_path: Path) -> None:
    """On the embedded server, where each role logs in by itself."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PG", "LOADER_"))},
        "PYTHONPATH": str(ROOT),
        "LOADER_PROJECT_ROOT": str(project.project_root),
    }
    size = ("--lines", "3000", "--partitions", "3", "--rounds", "1", "--plain-lines", "500", "--plan-files", "60")
    done = bench(environment, tmp_path, *size, "--check")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "bench.json").read_text())
    seconds = {route["name"]: route["seconds"] for route in record["routes"]}
    assert set(seconds) == {
        "product",
        "product, again",
        "verify",
        "rerun",
        "backfill",
        "plan backfill",
        "select 1",
        "floor A",
        "floor B",
        "dbt build",
        "dlt read_jsonl",
        "ingest of a day",
        "ingest of a late update",
        "restore of a day",
        "restore of all",
        "release by hand",
        "ready",
        "customer_dim by customer",
        "partition_status",
    }
    # Ten tickets of each of three days: a row each, and no row of a ticket that did not change.
    assert record["ratios"]["rows stored / rows changed"] == 1.0
    assert min(seconds.values()) > 0
    stages = record["routes"][0]["stages"]
    assert sum(stages.values()) == pytest.approx(seconds["product"], abs=0.01)
    assert "landed" in stages and "built" in stages
    assert record["routes"][0]["peak_pss_bytes"] > 50e6
    # What is attributed is what was used: none of the product's Python parts and of the server's roles is missing.
    groups = record["routes"][0]["cpu_seconds_by_group"]
    assert {"python, command", "python, dbt", "server, omni_loader", "server, omni_transform"} <= set(groups)
    assert sum(groups.values()) == pytest.approx(record["routes"][0]["cpu_seconds"], abs=0.1)
    assert "model.omnisupport.ticket_fact" in record["routes"][0]["cpu_seconds_by_node"]
    assert record["routes"][0]["wal_bytes"] > 1e5
    assert (tmp_path / "out" / "bench.svg").read_text().count("product")


def test_a_ratio_beyond_its_limit_is_named() -> None:
    """Prevents a --check that cannot fail."""
    assert far_off({"product / floor A": 29.0, "again / product": 1.1, "rate of product / dlt read_jsonl": 0.1}) == []
    assert far_off({"release / ingest of a day": 0.16}) == ["release / ingest of a day 0.16, at most 0.15"]
    assert far_off({"product / floor A": 31.0}) == ["product / floor A 31.00, at most 30.0"]


@pytest.mark.usefixtures("loader_environment")
def test_a_route_that_holds_other_rows_is_no_measurement(tmp_path: Path) -> None:
    """Prevents a fast figure of a route that lost lines."""
    exports = make_exports(tmp_path, ROOT, lines=300, partitions=2)
    exports.files[0].unlink()
    with pytest.raises(BenchError, match="floor A: got"):
        by_hand(load_settings(), exports)


def test_floor_a_is_as_it_was_frozen() -> None:
    """Prevents a goal that moves: a faster judge of the product makes the product faster, not the floor."""
    digest = hashlib.sha256()
    for file in sorted(path for path in (ROOT / "bench" / "floor_a").rglob("*") if path.suffix in FROZEN):
        digest.update(f"{file.relative_to(ROOT).as_posix()}\0".encode() + file.read_bytes())
    assert digest.hexdigest() == "7a363a75abdc751d5fa074777004446f72588ae47b055092940acc5e0106bd0c"


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        ("update bronze.raw_ticket_event set raw_payload = raw_payload || ' ' where line_number = 1", "fingerprints"),
        ("delete from bronze.asset_line where line_number = 2", "tile"),
        ("delete from bronze.raw_ticket_event where line_number = 3", "no fate"),
        ("update release.partition_version set ticket_digest = ticket_digest + 1", "winners"),
    ],
)
@pytest.mark.usefixtures("loader_environment")
def test_the_proof_of_floor_b_fails_on_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str, what: str
) -> None:
    """Prevents a yardstick that is fast since it proves nothing."""
    exports = make_exports(tmp_path, ROOT, lines=60, partitions=2)
    prove = floor_b.STAGES["proof"]

    def prove_damaged(warehouse: Warehouse) -> None:
        query(warehouse, damage)
        prove(warehouse)

    monkeypatch.setitem(floor_b.STAGES, "proof", prove_damaged)
    with pytest.raises(BenchError, match=what):
        proved_by_hand(load_settings(), exports, tmp_path / "work")
