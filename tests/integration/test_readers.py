"""Files read by other processes: the same rows, the same errors, and nobody left behind."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from data.generator import Options, generate
from loader.bronze import AssetReading, AssetToRead, Chunk, Terms, read_assets, read_in_processes
from loader.contract.ruleset import load_ruleset
from loader.errors import InfrastructureError, RefusedError
from loader.ingest import run as ingest_run
from loader.reader import ContentChangedError
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, fates, rows, run, silver, summary

CONTRACTS = ROOT / "contracts"
RULESET = load_ruleset(CONTRACTS)
TERMS = Terms(7, RULESET.sha256, None)
OPTIONS = Options(
    first_day=date(2026, 4, 16),
    last_day=date(2026, 4, 19),
    tickets=400,
    seed=11,
    invalid_rate=0.05,
    blank_rate=0.05,
    duplicate_rate=0.1,
    gzip_every=2,
)

FORGET = (
    "set local omni.maintenance = 'repair'; drop schema silver, reconcile, staging cascade;"
    " truncate bronze.raw_ticket_event, bronze.asset_line, bronze.rejected_record, bronze._dlt_loads, ops.asset_index,"
    " ops.asset_partition, ops.ingest_run, ops.ingest_state, ops.manifest, ops.source_asset cascade"
)


@pytest.fixture
def assets(tmp_path: Path) -> list[AssetToRead]:
    generate(OPTIONS, tmp_path / "exports")
    files = sorted(path for path in (tmp_path / "exports").iterdir() if path.name.startswith("tickets"))
    return [
        AssetToRead(
            number,
            path,
            "gzip" if path.suffix == ".gz" else "identity",
            hashlib.sha256(path.read_bytes()).hexdigest(),
            is_indexed=number == 2,
        )
        for number, path in enumerate(files, start=1)
    ]


def _all(parts: Iterable[Chunk | AssetReading]) -> tuple[dict[str, Counter[str]], dict[int, AssetReading]]:
    """Every row of every table, however often, and the readings by asset."""
    found: dict[str, Counter[str]] = {}
    readings = {}
    for part in parts:
        if isinstance(part, AssetReading):
            readings[part.asset_id] = part
        else:
            for name, table in part.tables.items():
                found.setdefault(name, Counter()).update(map(repr, table.to_pylist()))
    return found, readings


def _children() -> list[int]:
    """Reading processes of this one."""
    done = subprocess.run(["ps", "-axww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True)
    found = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    return [int(pid) for pid, parent, command in found if parent == str(os.getpid()) and "read_on_request" in command]


@pytest.mark.parametrize("process_count", [1, 3])
@pytest.mark.parametrize("window", [None, (date(2026, 4, 17), date(2026, 4, 18))], ids=["all days", "one day"])
def test_processes_read_what_this_process_reads(
    assets: list[AssetToRead], window: tuple[date, date] | None, process_count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    terms = Terms(7, RULESET.sha256, window)
    expected, counted = _all(read_assets(assets, terms, RULESET))
    assert all(expected[name] for name in ("raw_ticket_event", "asset_line", "rejected_record"))
    with read_in_processes(assets, terms, CONTRACTS, process_count=process_count) as parts:
        assert _all(parts) == (expected, counted)
        deadline = time.monotonic() + 10
        while _children() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert _children() == []
    assert capfd.readouterr() == ("", "")


def test_a_damaged_archive_is_the_same_refusal_as_in_this_process(assets: list[AssetToRead]) -> None:
    assets[2].path.write_bytes(assets[2].path.read_bytes()[:-3])
    with pytest.raises(ContentChangedError) as here:
        _all(read_assets(assets, TERMS, RULESET))
    reading = read_in_processes(assets, TERMS, CONTRACTS, process_count=2)
    with pytest.raises(ContentChangedError) as there, reading as parts:
        _all(parts)
    assert (there.value.message, there.value.next_command) == (here.value.message, here.value.next_command)
    assert _children() == []


def test_a_contract_that_changed_since_the_run_began_is_refused(assets: list[AssetToRead]) -> None:
    """Lines would be judged by one ruleset and recorded under another."""
    reading = read_in_processes(assets, replace(TERMS, ruleset_sha256="0" * 64), CONTRACTS, process_count=1)
    with pytest.raises(RefusedError, match="the contract changed since this run began"), reading as parts:
        _all(parts)


def test_a_killed_reader_is_an_infrastructure_error(assets: list[AssetToRead]) -> None:
    with read_in_processes(assets, TERMS, CONTRACTS, process_count=1) as parts:
        (reader,) = _children()
        os.kill(reader, signal.SIGKILL)
        with pytest.raises(InfrastructureError, match=r"a reading process ended by itself \(exit code -9\)"):
            _all(parts)


def test_an_abandoned_reading_leaves_no_process(assets: list[AssetToRead]) -> None:
    with read_in_processes(assets, TERMS, CONTRACTS, process_count=2) as parts:
        next(parts)
        assert _children() != []
    assert _children() == []


@pytest.mark.usefixtures("loader_environment")
def test_an_ingest_through_processes_ends_where_one_without_ends(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the counts of lines and the digests of partitions; which of several deliveries came first may differ."""
    generate(OPTIONS, tmp_path / "exports")
    manifest = declare(tmp_path / "exports")
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
    monkeypatch.setattr(ingest_run, "_WORTH_A_PROCESS", 0)
    proof = "select partition_key, line_count, landed_count from reconcile.reconcile_partition order by 1"
    ends = []
    for readers in ("2", "0"):
        monkeypatch.setenv("LOADER_READERS", readers)
        verdict = run(manifest)
        assert verdict.exit_code == 0, verdict.problems
        ends.append((summary(verdict), fates(verdict), silver(database), rows(database, proof)))
        rows(database, FORGET)
    assert ends[0] == ends[1]
