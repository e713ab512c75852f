"""Verbs over a warehouse that holds everything: what they must find, and what they must not touch."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from loader.errors import RefusedError
from loader.warehouse import Warehouse
from tests.ingests import rows, run, silver
from tests.recoveries import (
    DAYS,
    backfill_window,
    latest_run,
    left_by_runs,
    planned,
    recover,
    stricter_contract,
    three_days,
)
from tests.states import State, States

pytestmark = pytest.mark.usefixtures("replayed")


@pytest.fixture
def ingested(states: States) -> Iterator[State[Path]]:
    """Three days, ingested whole."""
    with states.begin(three_days, LOADER_REJECT_LIMIT="0.5") as state:
        yield state


@pytest.fixture
def database(ingested: State[Path]) -> Warehouse:
    return ingested.database


@pytest.fixture
def exports(ingested: State[Path]) -> Path:
    """The manifest; its files are there, as they were ingested."""
    return ingested.made


def test_a_look_under_a_new_contract_takes_nothing_out_of_silver(
    database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look reads two lines of a file that was read whole before: the whole reading counts."""
    before = silver(database)
    monkeypatch.setattr("loader.kinds.ticket.VERSION", "another")
    look = run(
        input_path=exports.parent / "e" / f"tickets-{DAYS[0]}.jsonl", batch_id="batch-20260415-001", line_limit=2
    )
    assert (look.exit_code, look.facts.total) == (0, 4), look.problems
    assert rows(database, "select ruleset_id, is_complete from ops.asset_index where asset_id = 1 order by 1") == [
        (1, True),
        (2, False),
    ]
    assert silver(database) == before
    assert rows(database, "select count(*) from reconcile.reconcile_partition where not is_complete") == [(0,)]


class TestRetry:
    def test_a_run_that_succeeded_is_refused(self, database: Warehouse, exports: Path) -> None:
        with pytest.raises(RefusedError, match="there is nothing to retry") as refused:
            recover("retry", run_id=latest_run(database))
        assert refused.value.next_command.startswith("make rerun RUN=")


class TestRerun:
    def test_everything_is_read_and_nothing_is_written_twice(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = latest_run(database)
        before = left_by_runs(database)
        verdict = recover("rerun", run_id=latest_run(database))
        assert verdict.exit_code == 0, verdict.problems
        assert {asset.action for asset in verdict.facts.assets} == {"parsed"}
        assert (verdict.facts.total, verdict.facts.inserted) == (18, 0)
        after = left_by_runs(database)
        assert after == before
        assert verdict.facts.run["run_id"] != first

    @pytest.mark.long
    def test_the_plan_says_which_source_changed(self, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        changed = exports.parent / "e" / f"tickets-{DAYS[2]}.jsonl"
        changed.write_bytes(changed.read_bytes().replace(b"northstar_studio", b"northstar_mobile", 1))
        plan = planned("rerun", run_id=None)
        (asset,) = [asset for asset in plan["assets"] if asset["found"] != asset["source_fingerprint"]]
        assert asset["source_id"] == changed.name
        assert plan["gap_reason"] == "source_changed"
        verdict = recover("rerun", run_id=None)
        assert verdict.exit_code == 1
        assert any("source_changed" in problem.code for problem in verdict.problems)

    def test_a_lost_event_comes_back(self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A rerun offers every row again: what is not there lands, and reconcile still tells of the loss."""
        before = silver(database)
        rows(
            database,
            "set omni.maintenance = 'repair'; delete from bronze.raw_ticket_event where record_key like '%000003'",
        )
        verdict = recover("rerun", run_id=None)
        assert verdict.facts.inserted == len(DAYS)
        assert silver(database) == before
        assert any("load" in problem.message for problem in verdict.problems), verdict.problems


class TestReplay:
    def test_an_unchanged_ruleset_changes_nothing_without_the_sources(self, database: Warehouse, exports: Path) -> None:
        shutil.rmtree(exports.parent / "e")
        exports.unlink()
        before = left_by_runs(database)
        verdict = recover("replay", run_id=latest_run(database))
        assert verdict.exit_code == 0, verdict.problems
        assert verdict.notes == ("0 changed: 0 newly valid, 0 newly rejected; 18 lines compared one by one",)
        assert left_by_runs(database) == before

    @pytest.mark.long
    def test_a_changed_row_is_found(self, database: Warehouse, exports: Path) -> None:
        rows(
            database,
            "set session_replication_role = replica; update bronze.asset_line set byte_length = byte_length + 1"
            " where asset_id = 2 and line_number = 3",
        )
        verdict = recover("replay", run_id=None)
        assert verdict.exit_code == 1
        assert "Bronze is not what the archive says: {'bytes_differ': 1}" in [each.message for each in verdict.problems]

    def test_a_new_ruleset_is_told_by_reason_and_the_old_fates_stay(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        batch = rows(database, "select batch_id from ops.manifest")[0][0]
        state = rows(database, "select * from ops.ingest_state order by 1, 2, 3")
        stricter_contract(monkeypatch, "another", lambda ticket_id: ticket_id.endswith("000002"))
        verdict = recover("replay", batch_id=batch)
        assert verdict.exit_code == 0, verdict.problems
        (note,) = verdict.notes
        assert note.startswith(f"{len(DAYS)} changed: 0 newly valid, {len(DAYS)} newly rejected; 0 lines")
        record = orjson.loads(verdict.report_paths[-1].read_bytes())
        assert [change["new_reasons"] for change in record["transitions"]] == ["schema_violation"]
        assert not any(row["ticket_id"].endswith("000002") for row in silver(database))
        kinds = rows(database, "select ruleset_id, kind, count(*) from bronze.asset_line group by 1, 2 order by 1, 2")
        assert kinds == [(1, "record", 16), (1, "rejected", 2), (2, "record", 13), (2, "rejected", 5)]
        assert rows(database, "select * from ops.ingest_state order by 1, 2, 3") == state

    @pytest.mark.long
    def test_a_ruleset_that_is_reverted_to_takes_effect_again(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = silver(database)
        with monkeypatch.context() as patch:
            stricter_contract(patch, "2", lambda ticket_id: ticket_id.endswith("000002"))
            assert recover("replay", run_id=None).exit_code == 0
            assert len(silver(database)) == len(before) - len(DAYS)
        with pytest.raises(RefusedError, match="last read before today's ruleset"):
            planned("backfill", **backfill_window(DAYS[0], DAYS[1], exports))
        verdict = recover("replay", run_id=None)
        assert verdict.exit_code == 0, verdict.problems
        assert verdict.notes[0].startswith(f"{len(DAYS)} changed: {len(DAYS)} newly valid, 0 newly rejected")
        assert silver(database) == before
        assert rows(database, "select ruleset_id from ops.ruleset order by 1") == [(1,), (2,), (3,)]
        assert run(exports).facts.total == 18
        assert rows(database, "select count(*) from ops.ruleset") == [(3,)]

    def test_rejects_alone_refuses_to_reject_more(
        self, database: Warehouse, exports: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stricter_contract(monkeypatch, "another", lambda ticket_id: ticket_id == "TKT-20260416-000002")
        with pytest.raises(RefusedError, match="rejects 1 line that is valid now"):
            recover("replay", run_id=latest_run(database), rejected_only=True)
