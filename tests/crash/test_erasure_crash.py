"""`make erase`, killed at named places: the same command again, or an ingest first, gives the same end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loader.runs import IngestLock
from loader.status import read_status
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.ingests import rows, settings
from tests.integration.privacy.people import (
    PERSON,
    REASON,
    archived,
    deliver_to_both,
    dumped,
    ingest,
    reported,
    traces,
)
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.long

HOOK = Path(__file__).parent / "hook"
_ERASE = "loader.erasure.verb"
# name -> CRASH_AT, and whether the person's rows are gone by then.
POINTS = {
    "an object is half redacted": ("loader.raw_zone.durable:PartFile.write:after:1", False),
    "one of three objects is redacted": ("loader.raw_zone.archive:RawZone.put_content:after:1", False),
    "objects of one kind are redacted, not those of the other": (
        "loader.raw_zone.archive:RawZone.put_content:after:2",
        False,
    ),
    "objects are redacted": (f"{_ERASE}:remove_rows:before:1", False),
    "rows of one kind are gone from releases, not those of the other": (
        "loader.erasure.removal:remove_from_releases:after:1",
        False,
    ),
    "rows are gone, not committed": (f"{_ERASE}:remove_rows:after:1", False),
    "rows are gone": (f"{_ERASE}:_remove:after:1", True),
    "one of three old objects is gone": ("loader.raw_zone.archive:RawZone.remove:after:1", True),
    "old objects are gone": (f"{_ERASE}:write_anew:before:1", True),
    "Bronze is written anew": (f"{_ERASE}:run_dbt:before:1", True),
    "Silver is built": (f"{_ERASE}:run_dbt:after:1", True),
    "readers see it, not committed": ("loader.release.publish:publish:after:1", True),
    "all but the empty space": (f"{_ERASE}:vacuum:before:1", True),
    "all but the search": (f"{_ERASE}:search_rows:before:1", True),
    "the evidence is written, not committed": (f"{_ERASE}:record_erasure:after:1", True),
}

# What must be the same however the erasure came about.
_END = {
    "record_event": "select to_jsonb(t) from bronze.record_event as t order by event_id",
    "asset_line": "select to_jsonb(t) from bronze.asset_line as t order by asset_id, line_number, ruleset_id",
    "rejected_record": "select to_jsonb(t) from bronze.rejected_record as t order by asset_id, line_number",
    "asset_partition": "select to_jsonb(t) from ops.asset_partition as t order by asset_id, partition_key",
    "completed_load": "select to_jsonb(t) from ops.completed_load as t order by load_id, table_name",
    "source_asset": "select to_jsonb(t) from ops.source_asset as t order by asset_id",
    "erased_line": "select asset_id, line_number from ops.erased_line order by 1, 2",
    "erased_load": "select load_id, table_name, row_count, row_digest from ops.erased_load order by 1, 2",
    "erased_version": "select record_kind, partition_key, data_release_id, record_count, record_digest"
    " from ops.erased_version order by 1, 2, 3",
    "ticket_fact": "select to_jsonb(t) from silver.ticket_fact as t order by ticket_id",
    "ticket_comment_fact": "select to_jsonb(t) from silver.ticket_comment_fact as t order by comment_id",
    "customer_dim": "select to_jsonb(t) from silver.customer_dim as t order by customer_id",
    "partition_version": "select to_jsonb(t) from release.partition_version as t order by 1::text",
    "ticket_row": "select to_jsonb(t) from release.ticket_fact as t order by ticket_id, first_release_id",
    "comment_row": "select to_jsonb(t) from release.ticket_comment_fact as t order by comment_id, first_release_id",
    "told": "select to_jsonb(t) from release.change as t order by change_number",
    "shown": "select to_jsonb(t) from serving.ticket_fact as t order by ticket_id",
    "shown comments": "select to_jsonb(t) from serving.ticket_comment_fact as t order by comment_id",
    "erasure": "select removed, finished_at is not null from ops.erasure",
    "unbuilt": "select count(*) from ops.unbuilt_erasure",
    "unexplained": "select (select sum(unexplained_count) from reconcile.reconcile_asset),"
    " (select count(*) from reconcile.reconcile_finding)",
}


@pytest.fixture(scope="module")
def proved(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kept, Path]]:
    folder = tmp_path_factory.mktemp("erasures")
    with own_warehouse(server, _template, folder, LOADER_REJECT_LIMIT="0.5") as database:
        for manifest in deliver_to_both(folder):
            ingest(manifest)
        with kept(server, database) as copy:
            yield copy, folder


@pytest.fixture
def warehouse(proved: tuple[Kept, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """As it was before the erasure, archive and reports included."""
    copy, folder = proved
    for name in ("raw_zone", "reports"):
        shutil.copytree(folder / name, tmp_path / name)
    monkeypatch.setenv("LOADER_RAW_ZONE", str(tmp_path / "raw_zone"))
    monkeypatch.setenv("LOADER_REPORT_DIR", str(tmp_path / "reports"))
    return copy.fresh()


@pytest.fixture(scope="module")
def undisturbed(proved: tuple[Kept, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    copy, folder = proved
    place = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("raw_zone", "reports"):
            shutil.copytree(folder / name, place / name)
        patch.setenv("LOADER_RAW_ZONE", str(place / "raw_zone"))
        patch.setenv("LOADER_REPORT_DIR", str(place / "reports"))
        database = copy.fresh()
        assert _erase().returncode == 0
        return _end(database)


def _erase(point: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": f"{HOOK}{os.pathsep}{ROOT}", **({"CRASH_AT": point} if point else {})}
    words = ("erase", "--person", PERSON, "--reason", REASON, "--mode", "execute")
    return subprocess.run(
        [sys.executable, "-c", "from loader.cli import main; main()", *words],
        cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip


def _end(database: Warehouse) -> dict[str, Any]:
    """What stands in each table and in the archive. A release is read as its place among all: one that was rolled back
    has used up a number."""
    ranked = "select data_release_id, row_number() over (order by data_release_id) from release.data_release"
    places = dict(rows(database, ranked))
    held = {name: [_placed(row, places) for row in rows(database, statement)] for name, statement in _END.items()}
    raw_zone = settings().raw_zone
    return {**held, "objects": sorted(path.name for path in raw_zone.rglob("*") if path.is_file())}


def _placed(row: tuple[Any, ...], places: dict[int, int]) -> list[Any]:
    return [
        {name: places.get(value) if name.endswith("release_id") else value for name, value in each.items()}
        if isinstance(each, dict)
        else each
        for each in row
    ]


def _clean(database: Warehouse) -> tuple[list[str], list[str], list[str]]:
    return traces(dumped(database)), traces(archived()), traces(reported())


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_erasure_is_finished_by_the_same_command(
    point: str, warehouse: Warehouse, undisturbed: dict[str, Any]
) -> None:
    """Prevents an erasure that leaves half a person, and one that cannot go on."""
    place, is_removed = POINTS[point]
    killed = _erase(place)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with closing(IngestLock.acquire(warehouse, wait_seconds=30)):
        pass
    count = "select count(*) from bronze.record_event where person_id = %s"
    assert rows(warehouse, count, PERSON) == [(0 if is_removed else 7,)]
    asks_for_it = "make erase PERSON=" in read_status(warehouse, None).next_command
    assert asks_for_it is is_removed
    again = _erase()
    assert again.returncode == 0, again.stderr
    end = _end(warehouse)
    for name, held in undisturbed.items():
        assert end[name] == held, name
    assert _clean(warehouse) == ([], [], [])


@pytest.mark.parametrize(
    "point",
    [
        "objects of one kind are redacted, not those of the other",
        "rows are gone, not committed",
        "rows are gone",
        "Silver is built",
    ],
)
def test_an_ingest_after_a_killed_erasure_closes_and_brings_nobody_back(
    point: str, warehouse: Warehouse, proved: tuple[Kept, Path], undisturbed: dict[str, Any]
) -> None:
    place, is_removed = POINTS[point]
    assert _erase(place).returncode == -signal.SIGKILL
    with closing(IngestLock.acquire(warehouse, wait_seconds=30)):
        pass
    ingest(*(proved[1] / f"{name}-manifest.json" for name in ("first", "second", "comments")))
    unexplained = "select coalesce(sum(unexplained_count), 0)::int from reconcile.reconcile_run"
    assert rows(warehouse, unexplained) == [(0,)]
    if is_removed:
        assert rows(warehouse, "select count(*) from silver.customer_dim where customer_id = %s", PERSON) == [(0,)]
        assert traces(archived()) == []
    again = _erase()
    assert again.returncode == 0, again.stderr
    end = _end(warehouse)
    # Releases of the ingest have numbers of their own.
    silver = ("ticket_fact", "ticket_comment_fact")
    for name in ("record_event", "asset_line", "asset_partition", "completed_load", *silver, "objects"):
        assert end[name] == undisturbed[name], name
    assert _clean(warehouse) == ([], [], [])
