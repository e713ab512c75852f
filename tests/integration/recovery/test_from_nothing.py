"""Verbs from an empty warehouse: runs that die, and days that nobody has read."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loader.errors import CommandUsageError, RefusedError
from loader.recovery import backfill as backfill_verb
from loader.warehouse import Warehouse
from tests.ingests import declare, rows, run, settings, write_export
from tests.recoveries import (
    DAYS,
    STAGES,
    backfill_window,
    daily_exports,
    failing,
    latest_run,
    left_by_runs,
    of_day,
    planned,
    recover,
    stricter_contract,
    three_days,
)
from tests.states import States

pytestmark = pytest.mark.usefixtures("replayed")

# The others in `make test-long`; tests/crash kills commands for good.
QUICK = ("archive",)


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return daily_exports(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(states: States) -> dict[str, list[Any]]:
    """What one ingest of the same files leaves that nothing disturbs."""
    with states.begin(three_days, LOADER_REJECT_LIMIT="0.5") as state:
        return left_by_runs(state.database, latest_run(state.database))


@pytest.mark.usefixtures("loader_environment")
class TestRetry:
    @pytest.mark.parametrize(
        "stage", [stage if stage in QUICK else pytest.param(stage, marks=pytest.mark.long) for stage in STAGES]
    )
    def test_the_next_attempt_leaves_what_one_attempt_would_have(
        self,
        stage: str,
        database: Warehouse,
        exports: Path,
        undisturbed: dict[str, list[Any]],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setenv("LOADER_REJECT_LIMIT", "0.5")
            with failing(stage), pytest.raises(OSError, match="No space"):
                run(exports)
            run_id = latest_run(database)
            verdict = recover("retry", run_id=None)
        assert verdict.exit_code == 0, verdict.problems
        assert (str(verdict.facts.run["run_id"]), verdict.facts.run["attempt"]) == (run_id, 2)
        assert rows(database, "select attempt, mode, status from ops.ingest_run order by attempt") == [
            (1, "ingest", "failed"),
            (2, "retry", "warning"),
        ]
        assert rows(database, "select count(distinct trace_id) from ops.ingest_run") == [(1,)]
        left = left_by_runs(database, run_id)
        for table, held in undisturbed.items():
            assert left[table] == held, table

    def test_another_contract_is_refused(self, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with failing("dbt"), pytest.raises(OSError, match="No space"):
            run(exports)
        monkeypatch.setattr("loader.kinds.ticket.VERSION", "another")
        with pytest.raises(RefusedError, match="a retry changes nothing else") as refused:
            recover("retry", run_id=None)
        assert refused.value.next_command.startswith("make replay RUN=")

    def test_its_sources_may_be_gone_once_they_are_archived(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And so may working folders and reports: all state is in the warehouse, all bytes are in the raw zone."""
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
        with failing("load"), pytest.raises(OSError, match="No space"):
            run(exports)
        shutil.rmtree(exports.parent / "e")
        exports.unlink()
        for folder in (settings().state_folder / "dlt").glob(f"{latest_run(database).replace('-', '')}_*"):
            shutil.rmtree(folder)
        shutil.rmtree(settings().report_dir)
        assert recover("retry", run_id=None).exit_code == 0

    @pytest.mark.long
    def test_a_manifest_that_was_refused_stays_refused(self, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It was part of what the run was asked: a retry that forgot it would succeed at less."""
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
        broken = exports.with_name("broken.json")
        broken.write_text("{}")
        with failing("load"), pytest.raises(OSError, match="No space"):
            run(exports, broken)
        broken.unlink()
        verdict = recover("retry", run_id=None)
        assert verdict.exit_code == 1
        assert verdict.reason_codes == ("lines_rejected", "manifest_refused")

    def test_without_any_run_there_is_nothing(self) -> None:
        with pytest.raises(CommandUsageError, match="no run in this warehouse yet"):
            recover("retry", run_id=None)


@pytest.mark.usefixtures("loader_environment")
class TestReplay:
    @pytest.mark.long
    def test_rejects_alone(self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A contract that was too strict is mended: its rejects land, and nothing else is read anew."""
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
        with monkeypatch.context() as patch:
            stricter_contract(patch, "0", lambda ticket_id: ticket_id == "TKT-20260416-000002")
            run(exports)
        plan = planned("replay", run_id=latest_run(database), rejected_only=True)
        assert "1 newly valid, 2 still rejected" in plan["proposed_action"]
        # The last export holds a reject too, one that stays; the first holds none.
        assert [asset["source_id"] for asset in plan["assets"]] == [f"tickets-{day}.jsonl" for day in DAYS[1:]]
        verdict = recover("replay", run_id=latest_run(database), rejected_only=True)
        assert verdict.exit_code == 0, verdict.problems
        assert verdict.facts.inserted == 1
        assert verdict.notes[0].startswith("1 changed: 1 newly valid, 0 newly rejected")
        assert rows(database, "select count(*) from bronze.rejected_record where ruleset_id = 1") == [(3,)]

    def test_a_run_that_archived_nothing_is_refused(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with failing("archive"), pytest.raises(OSError, match="No space"):
            run(exports)
        with pytest.raises(RefusedError, match="archived nothing that could be replayed"):
            recover("replay", run_id=latest_run(database))


@pytest.mark.usefixtures("loader_environment")
class TestBackfill:
    @pytest.fixture(autouse=True)
    def _limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")

    def test_files_that_no_run_has_read_are_counted(self, exports: Path) -> None:
        plan = planned("backfill", **backfill_window(DAYS[1], DAYS[2], exports))
        (part,) = plan["partitions"]
        assert (part["expected_input_count"], part["current_input_count"]) == (6, 0)
        assert part["gap_reason"] == "missing_partition"

    def test_each_step_ends_partitions_and_a_failed_one_stops_it(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One asset a step. The second holds one line in seven that is refused."""
        monkeypatch.setattr(backfill_verb, "STEP_BYTES", 1)
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.1")
        verdict = recover("backfill", **backfill_window(DAYS[0], "2026-04-18", exports))
        assert verdict.problems[0].message == f"stopped at partition {DAYS[0]}: 1 asset was not begun"
        assert rows(database, "select asset_id from ops.asset_index order by 1") == [(1,), (2,)]

    @pytest.mark.long
    def test_an_asset_that_is_absent_stops_it_before_later_days_land(self, database: Warehouse, exports: Path) -> None:
        """The first export vanished before anything was read, and may hold lines of any day."""
        (exports.parent / "e" / f"tickets-{DAYS[0]}.jsonl").unlink()
        verdict = recover("backfill", **backfill_window(DAYS[0], "2026-04-18", exports))
        assert verdict.exit_code == 1
        assert verdict.problems[0].message == f"stopped at partition {DAYS[0]}: later days were not begun"
        taken = "select distinct partition_key::text from ops.asset_partition where taken_by_run_id is not null"
        assert rows(database, taken) == [(DAYS[0],)]
        assert rows(database, "select distinct partition_key::text from bronze.raw_ticket_event") == [(DAYS[0],)]
        verdict = recover("backfill", **backfill_window(DAYS[0], "2026-04-18", exports, keep_going=True))
        assert verdict.exit_code == 1
        assert sorted(rows(database, taken)) == [(day,) for day in DAYS]

    @pytest.mark.long
    def test_a_dead_backfill_goes_on(self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It died in its second step: what the first one completed stays, and is not read again."""
        monkeypatch.setattr(backfill_verb, "STEP_BYTES", 1)
        window = backfill_window(DAYS[0], "2026-04-18", exports)
        from loader.bronze.load import BronzeLoader

        load = BronzeLoader.load
        loads = []

        def dies(*arguments: Any) -> str:
            loads.append(load(*arguments))
            if len(loads) == 2:
                raise OSError(28, "No space left on device")
            return loads[-1]

        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            patch.setattr(BronzeLoader, "load", dies)
            recover("backfill", **window)
        assert rows(database, "select count(*) from ops.completed_load where table_name = 'asset_line'") == [(1,)]
        verdict = recover("retry", run_id=None)
        assert verdict.exit_code == 0, verdict.problems
        actions = rows(database, "select source_id, action from ops.run_asset where attempt = 2 order by 1")
        assert [action for _, action in actions] == ["unchanged", "parsed", "parsed"]
        rows_of = "select count(*), count(distinct _dlt_load_id) from bronze.asset_line"
        assert rows(database, rows_of) == [(18, 3)]

    @pytest.mark.long
    def test_sixty_partitions_in_one_plan(self, database: Warehouse, tmp_path: Path) -> None:
        days = [date.fromordinal(date(2026, 3, 1).toordinal() + number).isoformat() for number in range(60)]
        write_export(tmp_path / "e" / "tickets-2026-04-30.jsonl", [of_day(day, 1) for day in days])
        exports = declare(tmp_path / "e")
        verdict = recover("backfill", **backfill_window(days[0], "2026-04-30", exports))
        assert verdict.exit_code == 0, verdict.problems
        assert len(verdict.facts.partitions) == 60
        assert all(part.reconcile["is_complete"] for part in verdict.facts.partitions)
