"""The benchmark at a small size: it must run, compare equal rows, and find no ratio far off."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bench import floor_b
from bench.__main__ import far_off
from bench.cpu import Cpu
from bench.exports import make_exports
from bench.measure import BenchError, Measurement
from bench.releases import TICKETS
from bench.report import Route, as_table
from bench.routes import by_hand, proved_by_hand
from bench.warehouses import query
from loader.config import Settings, load_settings
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import run

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


def test_the_table_says_where_cpu_seconds_went_and_fits_a_terminal() -> None:
    """Prevents a figure that only the JSON has, and lines that a terminal breaks."""
    long_name = "accepted_values_ticket_fact_category__installation__configuration__connectivity.7ab2150589"
    nodes = {"model.omnisupport.reconcile_event": 20.63, f"test.omnisupport.{long_name}": 0.56}
    cpu = Cpu({"python, command": 66.58, "server, omni_transform": 240.84}, nodes, 1_774_000_000, 16.4)
    chain = Measurement(883.1, 796_000_000, {"gated": 1.5}, cpu)
    ready = Route("customer_dim by customer", 1_000_000, [Measurement(0.05, 0)])
    table = as_table([Route("product", 1_000_000, [chain]), ready], {"cpu, product / floor A": 5.06})
    assert table.split("\n") == [
        "route                        lines  seconds lines/s PSS MB   CPU s WAL MB  load",
        "product                  1,000,000   883.10   1,132    796   307.4  1,774  16.4",
        "  gated                                1.50",
        "customer_dim by customer 1,000,000     0.05",
        "CPU seconds of product",
        "  server, omni_transform                                            240.8",
        "  python, command                                                    66.6",
        "… of dbt's 2 nodes",
        "  reconcile_event                                                    20.6",
        "  test accepted_values_ticket_fact_category__installation__conf…      0.6",
        "cpu, product / floor A                    5.06",
    ]
    assert max(map(len, table.split("\n"))) <= 80


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


# What floor B and the product both keep, but for the numbers that each gives to files and runs.
KEPT = {
    "events": (
        "select event_id::text, record_fingerprint::text, source_id, ticket_id, customer_id, created_at, updated_at,"
        " partition_key, raw_payload, ingest_batch_id, warning_codes, line_number from bronze.raw_ticket_event"
    ),
    "lines": (
        "select kind, event_id::text, line_number, byte_offset, byte_length, partition_key from bronze.asset_line"
    ),
    "rejects": (
        "select line_number, partition_key, reason_codes, message, json_path, raw_line::text, raw_line_sha256::text"
        " from bronze.rejected_record"
    ),
    "tickets": f"select {', '.join(floor_b.FIELDS)}, version_count, line_number from silver.{{}}",
    "released": f"select {', '.join(floor_b.FIELDS)}, version_count, line_number from release.ticket_row",
    "days": "select partition_key, ticket_count from release.partition_version",
}

# The floor's tables are frozen; the product calls these columns by their roles.
OF_PRODUCT = KEPT | {
    "released": KEPT["released"].replace("release.ticket_row", "release.ticket_fact"),
    "days": "select partition_key, record_count from release.partition_version",
    "events": (
        "select event_id::text, record_fingerprint::text, record_source, record_key, person_id, created_at, updated_at,"
        " partition_key, raw_payload, envelope::jsonb ->> 'ingest_batch_id', warning_codes, line_number"
        " from bronze.record_event"
    ),
}


def test_floor_b_keeps_what_the_product_keeps(
    loader_environment: dict[str, str], database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents a yardstick that is fast since it does less: other rows, a laxer judge, an instant that is rounded."""
    exports = make_exports(tmp_path, ROOT, lines=600, partitions=3)
    monkeypatch.setenv("LOADER_ALLOWED_ROOTS", str(exports.folder))
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "1")
    assert run(exports.manifest).exit_code == 0
    prove = floor_b.STAGES["proof"]
    kept: dict[str, list[str]] = {}

    def prove_and_look(warehouse: Warehouse) -> None:
        prove(warehouse)
        kept.update({name: _sorted(query(warehouse, text.format("ticket"))) for name, text in KEPT.items()})
        kept["archive"] = sorted(file.name for file in (tmp_path / "work").rglob("*") if file.is_file())

    monkeypatch.setitem(floor_b.STAGES, "proof", prove_and_look)
    proved_by_hand(load_settings(), exports, tmp_path / "work")
    for name, text in OF_PRODUCT.items():
        assert kept[name] == _sorted(query(database, text.format("ticket_fact"))), name
    assert kept["archive"] == [
        name for (name,) in query(database, "select source_fingerprint from ops.source_asset order by 1")
    ]
    # What a late update takes from each day; the routes of releases run in the bench alone.
    assert len(query(database, TICKETS.format(2))) == 2 * len(kept["days"])
    assert len(kept["rejects"]) > 0 and len(kept["lines"]) > len(kept["events"]) > len(kept["tickets"]) > 0


def _sorted(found: Iterable[tuple[Any, ...]]) -> list[str]:
    return sorted(map(repr, found))


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
