"""The five verbs: what each reads, what it leaves, and what it must not touch."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pytest

from loader.contract.ruleset import Ruleset
from loader.contract.ticket import AcceptedRecord, RejectedRecord
from loader.errors import CheckFailedError, CommandUsageError, RefusedError
from loader.recovery import backfill as backfill_verb
from loader.recovery import make_plan
from loader.warehouse import Warehouse
from tests.ingests import DAY, declare, rows, run, settings, silver, ticket, write_export
from tests.recoveries import left_by_runs, planned, recover
from tests.shared_warehouse import fresh_database, loader_variables

DAYS = [f"2026-04-{day}" for day in (15, 16, 17)]


def _of_day(day: str, number: int, **changes: Any) -> dict[str, Any]:
    return ticket(
        number, ticket_id=f"TKT-{day.replace('-', '')}-{number:06d}", created_at=f"{day}T08:00:00Z", **changes
    )


def _exports(root: Path) -> Path:
    """A manifest of three daily exports; the later ones update earlier days, repeat a line, and hold a reject."""
    folder = root / "e"
    for place, day in enumerate(DAYS):
        lines: list[Any] = [_of_day(day, number) for number in range(1, 5)]
        if place:
            before = DAYS[place - 1]
            lines += [_of_day(before, 1, status="closed", updated_at=f"{day}T09:00:00Z"), lines[0], b"{broken"]
        write_export(folder / f"tickets-{day}.jsonl", lines)
    return declare(folder)


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    return _exports(tmp_path)


@pytest.fixture(scope="module")
def undisturbed(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What one ingest of the same files leaves that nothing disturbs."""
    root = tmp_path_factory.mktemp("undisturbed")
    with fresh_database(server, _template) as database, pytest.MonkeyPatch.context() as patch:
        for name, value in {**loader_variables(database, root), "LOADER_REJECT_LIMIT": "0.5"}.items():
            patch.setenv(name, value)
        verdict = run(_exports(root))
        assert verdict.exit_code == 0, verdict.problems
        return left_by_runs(database, verdict.facts.run["run_id"])


def _latest(database: Warehouse) -> str:
    ((run_id,),) = rows(database, "select run_id::text from ops.ingest_run order by started_at desc limit 1")
    return str(run_id)


def _fails_once(patch: pytest.MonkeyPatch, target: str) -> None:
    def dies(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    patch.setattr(target, dies)


STAGES = {
    "gate": "loader.ingest.execution.inspect_manifest",
    "archive": "loader.raw_zone.RawZone.put",
    "registration": "loader.ingest.execution.plan_reading",
    "load": "loader.bronze.load.BronzeLoader.load",
    "completion": "loader.ingest.execution.complete",
    "dbt": "loader.ingest.execution.run_dbt",
    "facts": "loader.ingest.execution.read_facts",
    "evidence": "loader.evidence.records.write_json",
}


@pytest.mark.usefixtures("loader_environment")
class TestRetry:
    @pytest.mark.parametrize("stage", STAGES)
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
            with patch.context() as broken, pytest.raises(OSError, match="No space"):
                _fails_once(broken, STAGES[stage])
                run(exports)
            run_id = _latest(database)
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

    def test_a_run_that_succeeded_is_refused(self, database: Warehouse, exports: Path) -> None:
        run(exports)
        rows(database, "update ops.ingest_run set status = 'success'")
        with pytest.raises(RefusedError, match="there is nothing to retry") as refused:
            recover("retry", run_id=_latest(database))
        assert refused.value.next_command.startswith("loader rerun --run ")

    def test_another_contract_is_refused(self, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            _fails_once(patch, STAGES["dbt"])
            run(exports)
        monkeypatch.setattr("loader.contract.ruleset.BUSINESS_RULES_VERSION", "2")
        with pytest.raises(RefusedError, match="a retry changes nothing else") as refused:
            recover("retry", run_id=None)
        assert refused.value.next_command.startswith("loader replay --run ")

    def test_its_sources_may_be_gone_once_they_are_archived(
        self, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            _fails_once(patch, STAGES["load"])
            run(exports)
        shutil.rmtree(exports.parent / "e")
        exports.unlink()
        assert recover("retry", run_id=None).exit_code == 0

    def test_without_any_run_there_is_nothing(self) -> None:
        with pytest.raises(CommandUsageError, match="no run in this warehouse yet"):
            recover("retry", run_id=None)


@pytest.mark.usefixtures("loader_environment")
class TestRerun:
    def test_everything_is_read_and_nothing_is_written_twice(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
        first = run(exports)
        before = left_by_runs(database)
        verdict = recover("rerun", run_id=_latest(database))
        assert verdict.exit_code == 0, verdict.problems
        assert {asset.action for asset in verdict.facts.assets} == {"parsed"}
        assert (verdict.facts.total, verdict.facts.inserted) == (first.facts.total, 0)
        after = left_by_runs(database)
        assert after == before
        assert verdict.facts.run["run_id"] != first.facts.run["run_id"]

    def test_the_plan_says_which_source_changed(self, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
        run(exports)
        changed = exports.parent / "e" / f"tickets-{DAYS[2]}.jsonl"
        changed.write_bytes(changed.read_bytes().replace(b"northstar_studio", b"northstar_mobile", 1))
        plan = planned("rerun", run_id=None)
        (asset,) = [asset for asset in plan["assets"] if asset["found"] != asset["source_fingerprint"]]
        assert asset["source_id"] == changed.name
        assert plan["gap_reason"] == "source_changed"
        verdict = recover("rerun", run_id=None)
        assert verdict.exit_code == 1
        assert any("source_changed" in problem for problem in verdict.problems)

    def test_a_lost_event_comes_back(self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A rerun offers every row again: what is not there lands, and reconcile still tells of the loss."""
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")
        run(exports)
        before = silver(database)
        rows(
            database,
            "set omni.maintenance = 'repair'; delete from bronze.raw_ticket_event where ticket_id like '%000003'",
        )
        verdict = recover("rerun", run_id=None)
        assert verdict.facts.inserted == len(DAYS)
        assert silver(database) == before
        assert any("load" in problem for problem in verdict.problems), verdict.problems


@pytest.mark.usefixtures("loader_environment")
class TestReplay:
    @pytest.fixture(autouse=True)
    def _limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")

    def test_an_unchanged_ruleset_changes_nothing_without_the_sources(self, database: Warehouse, exports: Path) -> None:
        first = run(exports)
        shutil.rmtree(exports.parent / "e")
        exports.unlink()
        before = left_by_runs(database)
        verdict = recover("replay", run_id=_latest(database))
        assert verdict.exit_code == 0, verdict.problems
        assert verdict.notes == (
            f"0 changed: 0 newly valid, 0 newly rejected; {first.facts.total} line(s) compared one by one",
        )
        assert left_by_runs(database) == before

    def test_a_changed_row_is_found(self, database: Warehouse, exports: Path) -> None:
        run(exports)
        rows(
            database,
            "set session_replication_role = replica; update bronze.asset_line set byte_length = byte_length + 1"
            " where asset_id = 2 and line_number = 3",
        )
        verdict = recover("replay", run_id=None)
        assert verdict.exit_code == 1
        assert "Bronze is not what the archive says: {'bytes_differ': 1}" in verdict.problems

    def test_a_new_ruleset_is_told_by_reason_and_the_old_fates_stay(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(exports)
        batch = rows(database, "select batch_id from ops.manifest")[0][0]
        state = rows(database, "select * from ops.ingest_state order by 1, 2, 3")
        _judge(monkeypatch, "2", lambda ticket_id: ticket_id.endswith("000002"))
        verdict = recover("replay", batch_id=batch)
        assert verdict.exit_code == 0, verdict.problems
        (note,) = verdict.notes
        assert note.startswith(f"{len(DAYS)} changed: 0 newly valid, {len(DAYS)} newly rejected; 0 line(s)")
        record = orjson.loads(verdict.report_paths[-1].read_bytes())
        assert [change["new_reasons"] for change in record["transitions"]] == ["schema_violation"]
        assert not any(row["ticket_id"].endswith("000002") for row in silver(database))
        kinds = rows(database, "select ruleset_id, kind, count(*) from bronze.asset_line group by 1, 2 order by 1, 2")
        assert kinds == [(1, "record", 16), (1, "rejected", 2), (2, "record", 13), (2, "rejected", 5)]
        assert rows(database, "select * from ops.ingest_state order by 1, 2, 3") == state

    def test_rejects_alone(self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A contract that was too strict is mended: its rejects land, and nothing else is read anew."""
        with monkeypatch.context() as patch:
            _judge(patch, "0", lambda ticket_id: ticket_id == "TKT-20260416-000002")
            run(exports)
        plan = planned("replay", run_id=_latest(database), rejected_only=True)
        assert "1 newly valid, 2 still rejected" in plan["proposed_action"]
        # The last export holds a reject too, one that stays; the first holds none.
        assert [asset["source_id"] for asset in plan["assets"]] == [f"tickets-{day}.jsonl" for day in DAYS[1:]]
        verdict = recover("replay", run_id=_latest(database), rejected_only=True)
        assert verdict.exit_code == 0, verdict.problems
        assert verdict.facts.inserted == 1
        assert verdict.notes[0].startswith("1 changed: 1 newly valid, 0 newly rejected")
        assert rows(database, "select count(*) from bronze.rejected_record where ruleset_id = 1") == [(3,)]

    def test_rejects_alone_refuses_to_reject_more(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(exports)
        _judge(monkeypatch, "2", lambda ticket_id: ticket_id == "TKT-20260416-000002")
        with pytest.raises(RefusedError, match=r"rejects 1 line\(s\) that are valid now"):
            recover("replay", run_id=_latest(database), rejected_only=True)

    def test_a_run_that_archived_nothing_is_refused(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
            _fails_once(patch, STAGES["archive"])
            run(exports)
        with pytest.raises(RefusedError, match="archived nothing that could be replayed"):
            recover("replay", run_id=_latest(database))


def _judge(patch: pytest.MonkeyPatch, version: str, is_refused: Callable[[str], bool]) -> None:
    """A contract that refuses some tickets too, in this process."""
    judge = Ruleset.judge

    def stricter(ruleset: Ruleset, line: bytes) -> AcceptedRecord | RejectedRecord:
        judged = judge(ruleset, line)
        if isinstance(judged, AcceptedRecord) and is_refused(judged.ticket_id) and judged.updated_at is None:
            return RejectedRecord(("schema_violation",), "refused by a test", "$", judged.partition_key)
        return judged

    patch.setattr("loader.contract.ruleset.BUSINESS_RULES_VERSION", version)
    patch.setattr(Ruleset, "judge", stricter)


@pytest.mark.usefixtures("loader_environment")
class TestBackfill:
    @pytest.fixture(autouse=True)
    def _limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")

    def _window(self, first: str, end: str, exports: Path, **changes: Any) -> dict[str, Any]:
        return {"window_start": first, "window_end": end, "manifest_paths": [str(exports)], **changes}

    def test_a_window_lands_and_no_cursor_moves(self, database: Warehouse, exports: Path) -> None:
        run(exports, partition=DAY)
        state = rows(database, "select * from ops.ingest_state order by 1, 2, 3")
        whole = rows(database, "select count(*) from bronze.raw_ticket_event where partition_key = '2026-04-17'")
        plan = planned("backfill", **self._window(DAYS[0], DAYS[2], exports))
        assert [(part["partition_key"], part["gap_reason"]) for part in plan["partitions"]] == [
            (DAYS[0], "missing_partition"),
            (DAYS[1], "missing_partition"),
        ]
        assert (plan["expected_input_count"], plan["current_output_count"]) == (11, 0)
        verdict = recover("backfill", **self._window(DAYS[0], DAYS[2], exports))
        assert verdict.exit_code == 0, verdict.problems
        assert [part.partition_key.isoformat() for part in verdict.facts.partitions] == DAYS[:2]
        assert rows(database, "select * from ops.ingest_state order by 1, 2, 3") == state
        assert whole == rows(
            database, "select count(*) from bronze.raw_ticket_event where partition_key = '2026-04-17'"
        )
        evidence = settings().report_dir / "run_evidence"
        for day in DAYS[:2]:
            (file,) = [
                file for file in (evidence / day).iterdir() if file.name.startswith(str(verdict.facts.run["run_id"]))
            ]
            assert orjson.loads(file.read_bytes())["mode"] == "backfill"

    def test_an_empty_window_names_the_nearest_data(self, exports: Path) -> None:
        run(exports)
        with pytest.raises(CheckFailedError, match="nearest data: 2026-04-17"):
            planned("backfill", **self._window("2026-05-01", "2026-05-02", exports))

    def test_files_that_no_run_has_read_are_counted(self, exports: Path) -> None:
        plan = planned("backfill", **self._window(DAYS[1], DAYS[2], exports))
        (part,) = plan["partitions"]
        assert (part["expected_input_count"], part["current_input_count"]) == (6, 0)
        assert part["gap_reason"] == "missing_partition"

    def test_each_step_ends_partitions_and_a_failed_one_stops_it(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One asset a step. The second export vanished before anything was read: its day cannot be complete."""
        monkeypatch.setattr(backfill_verb, "STEP_BYTES", 1)
        (exports.parent / "e" / f"tickets-{DAYS[0]}.jsonl").unlink()
        verdict = recover("backfill", **self._window(DAYS[0], "2026-04-18", exports))
        assert verdict.exit_code == 1
        assert verdict.problems[0] == f"stopped at partition {DAYS[0]}: 1 asset(s) were not begun"
        assert rows(database, "select source_id from ops.run_asset where action = 'parsed' order by 1") == [
            (f"tickets-{day}.jsonl",) for day in DAYS[1:]
        ]
        taken = "select distinct partition_key::text from ops.asset_partition where taken_by_run_id is not null"
        assert sorted(rows(database, taken)) == [(DAYS[0],), (DAYS[1],)]
        verdict = recover("backfill", **self._window(DAYS[0], "2026-04-18", exports, keep_going=True))
        assert verdict.exit_code == 1
        assert sorted(rows(database, taken)) == [(day,) for day in DAYS]

    def test_a_dead_backfill_goes_on(self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """It died in its second step: what the first one completed stays, and is not read again."""
        monkeypatch.setattr(backfill_verb, "STEP_BYTES", 1)
        window = self._window(DAYS[0], "2026-04-18", exports)
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

    def test_sixty_partitions_in_one_plan(self, database: Warehouse, tmp_path: Path) -> None:
        days = [date.fromordinal(date(2026, 3, 1).toordinal() + number).isoformat() for number in range(60)]
        write_export(tmp_path / "e" / "tickets-2026-04-30.jsonl", [_of_day(day, 1) for day in days])
        exports = declare(tmp_path / "e")
        verdict = recover("backfill", **self._window(days[0], "2026-04-30", exports))
        assert verdict.exit_code == 0, verdict.problems
        assert len(verdict.facts.partitions) == 60
        assert all(part.reconcile["is_complete"] for part in verdict.facts.partitions)


@pytest.mark.usefixtures("loader_environment")
class TestPlans:
    @pytest.fixture(autouse=True)
    def _limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.5")

    def _plan(self, exports: Path) -> dict[str, Any]:
        return planned(
            "backfill", window_start=DAYS[0], window_end=DAYS[2], manifest_paths=[str(exports)], keep_going=False
        )

    def _refused(self, plan: dict[str, Any]) -> str:
        from loader.recovery import apply_plan

        with pytest.raises(RefusedError) as refused:
            apply_plan(settings(), plan)
        assert refused.value.exit_code == 4
        return refused.value.message

    def test_nothing_moved_then_once_only(self, exports: Path) -> None:
        from loader.recovery import apply_plan

        plan = self._plan(exports)
        assert apply_plan(settings(), plan).exit_code == 0
        assert "was applied already" in self._refused(plan)

    def test_a_newer_run(self, exports: Path) -> None:
        plan = self._plan(exports)
        run(exports, partition=DAY)
        message = self._refused(plan)
        assert "is stale, nothing was started" in message
        assert "last_run: planned nothing, now" in message

    def test_a_source_of_another_size(self, exports: Path) -> None:
        run(exports, partition=DAY)
        plan = self._plan(exports)
        source = exports.parent / "e" / f"tickets-{DAYS[0]}.jsonl"
        source.write_bytes(source.read_bytes() + b"\n")
        assert f"{DAYS[0]}.jsonl].found: planned" in self._refused(plan)

    def test_a_source_with_other_bytes_of_the_same_size(self, database: Warehouse, exports: Path) -> None:
        run(exports, partition=DAY)
        plan = self._plan(exports)
        source = exports.parent / "e" / f"tickets-{DAYS[0]}.jsonl"
        source.write_bytes(source.read_bytes().replace(b"p3_medium", b"p2_mediux", 1))
        assert f"what moved: source {source.name}" in self._refused(plan)
        assert rows(database, "select count(*) from ops.ingest_run") == [(1,)]

    def test_a_count(self, database: Warehouse, exports: Path) -> None:
        run(exports)
        plan = self._plan(exports)
        rows(database, "update ops.asset_partition set taken_by_run_id = null, taken_at = null where asset_id = 1")
        assert "current_input_count: planned" in self._refused(plan)

    def test_the_contract(self, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = self._plan(exports)
        monkeypatch.setattr("loader.contract.ruleset.BUSINESS_RULES_VERSION", "2")
        assert "ruleset_sha256: planned" in self._refused(plan)

    def test_an_edited_plan(self, exports: Path) -> None:
        plan = self._plan(exports)
        assert "expected_input_count: planned 12, now 11" in self._refused({**plan, "expected_input_count": 12})

    def test_a_restore_has_a_plan_and_is_refused(self, exports: Path) -> None:
        run(exports)
        plan = make_plan(settings(), "restore", {"window_start": DAYS[0], "window_end": DAYS[1]})
        record = plan.as_record(settings())
        assert "nothing has been released" in self._refused(record)
