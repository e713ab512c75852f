"""Plans and backfills over a warehouse that holds the last of three days."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from loader.errors import CheckFailedError, RefusedError
from loader.recovery import apply_plan, make_plan
from loader.warehouse import Warehouse
from tests.ingests import DAY, rows, run, settings
from tests.recoveries import DAYS, backfill_window, daily_exports, latest_run, planned, recover
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")


@pytest.fixture(scope="module")
def ingested(
    server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Kept, Path]]:
    """Three days declared, the last one ingested."""
    root = tmp_path_factory.mktemp("ingested")
    exports = daily_exports(root / "pristine")
    with own_warehouse(server, _template, root, LOADER_REJECT_LIMIT="0.5") as database:
        shutil.copytree(root / "pristine", root / "given")
        verdict = run(root / "given" / exports.name, partition=DAY)
        assert verdict.exit_code == 0, verdict.problems
        with kept(server, database) as whole:
            yield whole, root


@pytest.fixture
def database(ingested: tuple[Kept, Path]) -> Warehouse:
    """As it was after the ingest."""
    return ingested[0].fresh()


@pytest.fixture
def exports(ingested: tuple[Kept, Path], database: Warehouse) -> Path:
    """The manifest and its files, as they were ingested."""
    root = ingested[1]
    shutil.rmtree(root / "given")
    shutil.copytree(root / "pristine", root / "given")
    return root / "given" / "m.json"


class TestBackfill:
    def test_a_window_lands_and_no_cursor_moves(self, database: Warehouse, exports: Path) -> None:
        state = rows(database, "select * from ops.ingest_state order by 1, 2, 3")
        whole = rows(database, "select count(*) from bronze.raw_ticket_event where partition_key = '2026-04-17'")
        plan = planned("backfill", **backfill_window(DAYS[0], DAYS[2], exports))
        assert [(part["partition_key"], part["gap_reason"]) for part in plan["partitions"]] == [
            (DAYS[0], "missing_partition"),
            (DAYS[1], "missing_partition"),
        ]
        assert (plan["expected_input_count"], plan["current_output_count"]) == (11, 0)
        verdict = recover("backfill", **backfill_window(DAYS[0], DAYS[2], exports))
        assert verdict.exit_code == 0, verdict.problems
        assert [part.partition_key.isoformat() for part in verdict.facts.partitions] == DAYS[:2]
        assert rows(database, "select * from ops.ingest_state order by 1, 2, 3") == state
        assert whole == rows(
            database, "select count(*) from bronze.raw_ticket_event where partition_key = '2026-04-17'"
        )
        for _ in range(2):
            assert recover("rerun", run_id=latest_run(database)).exit_code == 0
        assert rows(database, "select * from ops.ingest_state order by 1, 2, 3") == state
        evidence = settings().report_dir / "run_evidence"
        for day in DAYS[:2]:
            (file,) = [
                file for file in (evidence / day).iterdir() if file.name.startswith(str(verdict.facts.run["run_id"]))
            ]
            assert orjson.loads(file.read_bytes())["mode"] == "backfill"

    def test_an_empty_window_names_the_nearest_data(self, exports: Path) -> None:
        with pytest.raises(CheckFailedError, match="nearest data: 2026-04-17"):
            planned("backfill", **backfill_window("2026-05-01", "2026-05-02", exports))


class TestPlans:
    def _plan(self, exports: Path) -> dict[str, Any]:
        return planned(
            "backfill", window_start=DAYS[0], window_end=DAYS[2], manifest_paths=[str(exports)], keep_going=False
        )

    def _refused(self, plan: dict[str, Any]) -> str:
        with pytest.raises(RefusedError) as refused:
            apply_plan(settings(), plan)
        assert refused.value.exit_code == 4
        return refused.value.message

    @pytest.mark.long
    def test_nothing_moved_then_once_only(self, exports: Path) -> None:
        plan = self._plan(exports)
        assert apply_plan(settings(), plan).exit_code == 0
        assert "was applied already" in self._refused(plan)

    def test_a_newer_run(self, exports: Path) -> None:
        plan = self._plan(exports)
        run(exports, partition=DAY)
        message = self._refused(plan)
        assert "is stale, nothing was started" in message
        assert "last_run.run_id: planned" in message

    def test_a_source_of_another_size(self, exports: Path) -> None:
        plan = self._plan(exports)
        source = exports.parent / "e" / f"tickets-{DAYS[0]}.jsonl"
        source.write_bytes(source.read_bytes() + b"\n")
        assert f"{DAYS[0]}.jsonl].found: planned" in self._refused(plan)

    def test_a_source_with_other_bytes_of_the_same_size(self, database: Warehouse, exports: Path) -> None:
        plan = self._plan(exports)
        source = exports.parent / "e" / f"tickets-{DAYS[0]}.jsonl"
        before = source.stat()
        source.write_bytes(source.read_bytes().replace(b"p3_medium", b"p2_mediux", 1))
        assert 'planned "missing_partition", now "source_changed"' in self._refused(plan)
        again = self._plan(exports)
        assert again["gap_reason"] == "source_changed"
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert "is not what was registered" in self._refused(plan)
        assert rows(database, "select count(*) from ops.ingest_run") == [(1,)]

    @pytest.mark.long
    def test_a_changed_source_of_another_day_keeps_no_day_back(self, exports: Path) -> None:
        source = exports.parent / "e" / f"tickets-{DAYS[2]}.jsonl"
        before = source.stat()
        source.write_bytes(source.read_bytes().replace(b"p3_medium", b"p2_mediux", 1))
        os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
        plan = planned("backfill", **backfill_window(DAYS[0], DAYS[1], exports))
        assert apply_plan(settings(), plan).exit_code == 0

    def test_a_count(self, database: Warehouse, exports: Path) -> None:
        plan = self._plan(exports)
        rows(
            database,
            "update ops.asset_partition set taken_by_run_id = (select run_id from ops.ingest_run), taken_at = now()"
            f" where partition_key = '{DAYS[0]}'",
        )
        assert "current_input_count: planned" in self._refused(plan)

    def test_the_contract(self, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = self._plan(exports)
        monkeypatch.setattr("loader.kinds.ticket.VERSION", "another")
        assert "were last read before today's ruleset" in self._refused(plan)

    def test_an_edited_plan(self, exports: Path) -> None:
        plan = self._plan(exports)
        assert "expected_input_count: planned 12, now 11" in self._refused({**plan, "expected_input_count": 12})

    def test_a_restore_of_what_was_never_released_is_refused(self, exports: Path) -> None:
        request = {"window_start": DAYS[0], "window_end": DAYS[1], "release": None, "as_of": None, "reason": "tests"}
        with pytest.raises(RefusedError, match="nothing was released of it"):
            make_plan(settings(), "restore", request)
