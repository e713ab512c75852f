"""Files landed by other processes: the same rows, the same errors, and nobody left behind."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from data.generator import Options, generate
from loader.bronze import (
    AssetToRead,
    BronzeLoader,
    Landed,
    Order,
    Progress,
    Terms,
    land,
    land_in_processes,
    read_assets,
)
from loader.bronze.load import Lane
from loader.bronze.workers import _Worker
from loader.errors import InfrastructureError, RefusedError
from loader.ingest import execution
from loader.kinds import load_ruleset
from loader.reader import ContentChangedError, open_content
from loader.runs import Attempt, new_run_id
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import declare, fates, rows, run, silver, summary
from tests.integration.bronze_fixtures import running_attempt
from tests.shared_warehouse import EMPTY_LAYERS

pytestmark = pytest.mark.usefixtures("replayed")

CONTRACTS = ROOT / "contracts"
RULESET = load_ruleset(CONTRACTS)
TERMS = Terms(7, RULESET.sha256, None)
by_asset = attrgetter("asset_id")
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

EMPTY = (
    "set local omni.maintenance = 'repair';"
    " truncate bronze.raw_ticket_event, bronze.asset_line, bronze.rejected_record, bronze._dlt_loads;"
)
FORGET = (
    f"{EMPTY} {EMPTY_LAYERS}; truncate ops.asset_index, ops.asset_partition,"
    " ops.ingest_run, ops.ingest_state, ops.manifest, ops.source_asset cascade"
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
            0,
            is_indexed=number == 2,
            offers_lines=number != 2,
        )
        for number, path in enumerate(files, start=1)
    ]


@dataclass
class Scene:
    """An attempt under the ingest lock, and an order for its workers."""

    attempt: Attempt
    order: Order
    progress: list[Progress] = field(default_factory=list)

    def land(self, assets: list[AssetToRead], *, process_count: int = 2, **changes: Any) -> Landed:
        order = replace(self.order, **changes)
        return land_in_processes(assets, order, process_count=process_count, progress=self.progress.append)


@pytest.fixture(params=["parquet", pytest.param("csv", marks=pytest.mark.long)])
def scene(database: Warehouse, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """By both routes into Bronze."""
    with running_attempt(database) as attempt:
        yield Scene(attempt, Order(database, attempt, tmp_path / "dlt", TERMS, CONTRACTS, "ticket_v1", request.param))


def _content(database: Warehouse) -> dict[str, Counter[str]]:
    """Every row of every table, without what says which load or delivery brought it."""
    return {
        table: Counter(
            text
            for (text,) in rows(
                database,
                "select (to_jsonb(r) - '{_dlt_load_id,run_id,asset_id,line_number,envelope}'::text[])::text"
                f" from bronze.{table} as r",
            )
        )
        for table in ("raw_ticket_event", "asset_line", "rejected_record")
    }


def _children() -> list[int]:
    """Workers of this process."""
    done = subprocess.run(["ps", "-axww", "-o", "pid=,ppid=,command="], capture_output=True, text=True, check=True)
    found = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    return [int(pid) for pid, parent, command in found if parent == str(os.getpid()) and "workers:work" in command]


@pytest.mark.parametrize("process_count", [1, 3])
@pytest.mark.parametrize("window", [None, (date(2026, 4, 17), date(2026, 4, 18))], ids=["all days", "one day"])
def test_processes_land_what_this_process_lands(
    database: Warehouse,
    scene: Scene,
    assets: list[AssetToRead],
    window: tuple[date, date] | None,
    process_count: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whatever the number of processes, and by either route: the yardstick is the fast one."""
    terms = replace(TERMS, window=window)
    loader = BronzeLoader(database, scene.attempt, scene.order.working_root, RULESET.kind, lane=Lane(9))
    here = land(read_assets(assets, terms, RULESET), loader, lambda progress: None)
    expected = _content(database)
    assert all(expected.values())
    rows(database, EMPTY)

    there = scene.land(assets, process_count=process_count, terms=terms)
    assert _content(database) == expected
    assert sorted(there.readings, key=by_asset) == sorted(here.readings, key=by_asset)
    assert len(set(there.load_ids)) == len(there.load_ids) == len(scene.progress) > 0
    assert sum(progress.line_count for progress in scene.progress) == sum(part.line_count for part in there.readings)
    content = (open_content(asset.path, asset.content_encoding) for asset in assets)
    assert sum(progress.content_bytes for progress in scene.progress) == sum(map(len, chain.from_iterable(content)))
    assert _children() == []
    assert capfd.readouterr() == ("", "")


def test_workers_that_bring_the_same_events_do_not_fail_each_other(
    database: Warehouse, scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without turns, both merges miss the other's rows, and the second one breaks on the key."""
    options = replace(OPTIONS, tickets=None, lines=20_000, last_day=OPTIONS.first_day, payload_bytes=0, gzip_every=0)
    generate(options, tmp_path / "day")
    (path,) = (tmp_path / "day").glob("tickets*")
    fingerprint = hashlib.sha256(path.read_bytes()).hexdigest()
    copies = [
        AssetToRead(number, path, "identity", fingerprint, 0, is_indexed=False, offers_lines=True) for number in (1, 2)
    ]
    words, both = _Worker.words, threading.Barrier(2)

    def one_each(worker: _Worker, next_asset: Callable[[], AssetToRead | None], turn: threading.Lock) -> Iterator[Any]:
        first = iter([both.wait])

        def ask() -> AssetToRead | None:
            for wait in first:
                wait(timeout=60)
            return next_asset()

        return words(worker, ask, turn)

    monkeypatch.setattr(_Worker, "words", one_each)
    landed = scene.land(copies)
    assert len(landed.load_ids) == 2, "one worker read both"
    (counts,) = rows(database, "select count(*), count(distinct event_id) from bronze.raw_ticket_event")
    assert counts[0] == counts[1] > 0


def test_a_damaged_archive_is_the_same_refusal_as_in_this_process(scene: Scene, assets: list[AssetToRead]) -> None:
    assets[2].path.write_bytes(assets[2].path.read_bytes()[:-3])
    with pytest.raises(ContentChangedError) as here:
        list(read_assets(assets, TERMS, RULESET))
    with pytest.raises(ContentChangedError) as there:
        scene.land(assets)
    assert (there.value.message, there.value.next_command) == (here.value.message, here.value.next_command)
    assert _children() == []


def test_a_contract_that_changed_since_the_run_began_is_refused(scene: Scene, assets: list[AssetToRead]) -> None:
    """Lines would be judged by one ruleset and recorded under another."""
    with pytest.raises(RefusedError, match="the contract changed since this command began"):
        scene.land(assets, terms=replace(TERMS, ruleset_sha256="0" * 64))


def test_a_load_that_fails_in_a_worker_says_why(scene: Scene, database: Warehouse, assets: list[AssetToRead]) -> None:
    """The database's own words come from the worker to the operator; no worker goes on."""
    with pytest.raises(InfrastructureError, match="does not hold the ingest lock"):
        scene.land(assets, attempt=Attempt(new_run_id(), 1, scene.attempt.trace_id))
    assert _children() == []


def test_an_interrupt_leaves_no_worker(scene: Scene, assets: list[AssetToRead]) -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        land_in_processes(assets, scene.order, process_count=2, progress=interrupt)
    assert _children() == []


def test_a_killed_worker_is_an_infrastructure_error(scene: Scene, assets: list[AssetToRead]) -> None:
    def kill() -> None:
        while not (found := _children()):
            time.sleep(0.01)
        os.kill(found[0], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(InfrastructureError, match=r"a loading process ended by itself \(exit code -9\)"):
        scene.land(assets)
    killer.join()
    assert _children() == []


@pytest.mark.usefixtures("loader_environment")
def test_an_ingest_through_processes_ends_where_one_without_ends(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the counts of lines and the digests of partitions; which of several deliveries came first may differ."""
    generate(OPTIONS, tmp_path / "exports")
    manifest = declare(tmp_path / "exports")
    monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
    monkeypatch.setattr(execution, "_WORTH_A_PROCESS", 0)
    proof = "select partition_key, line_count, landed_count from reconcile.reconcile_partition order by 1"
    ends = []
    for workers in ("2", "0"):
        monkeypatch.setenv("LOADER_WORKERS", workers)
        verdict = run(manifest)
        assert verdict.exit_code == 0, verdict.problems
        ends.append((summary(verdict), fates(verdict), silver(database), rows(database, proof)))
        rows(database, FORGET)
    assert ends[0] == ends[1]
