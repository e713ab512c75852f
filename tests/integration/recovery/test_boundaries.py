"""What each recovery verb must leave alone: whole rows, each with the transaction that wrote it, before and after."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from loader.errors import RefusedError
from loader.recovery import apply_plan
from loader.warehouse import Warehouse
from tests.ingests import DAY, declare, rows, run, settings, ticket, write_export
from tests.recoveries import (
    DAYS,
    backfill_window,
    daily_exports,
    failing,
    latest_run,
    planned,
    recover,
    stricter_contract,
)
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")

OTHER_DAY = "2026-04-10"
OTHER_SOURCE = "structured:tickets:other"
# The rows of a run; of a day; and those that belong to neither.
OF_RUNS = ("ops.ingest_run", "ops.run_asset", "ops.completed_load")
BRONZE = ("bronze.raw_ticket_event", "bronze.asset_line", "bronze.rejected_record")
OF_DAYS = (*BRONZE, "ops.asset_partition", "silver.ticket_fact")
OF_ALL = ("ops.ingest_state", "ops.manifest", "ops.manifest_asset", "ops.source_asset", "ops.ruleset")
TABLES = (*OF_RUNS, *OF_DAYS, *OF_ALL)

Held = dict[str, list[tuple[str, dict[str, Any]]]]


@dataclass(frozen=True)
class History:
    """An ingest of another source and day, then one of the last of three declared days."""

    whole: Kept
    root: Path
    other_run: str
    last_run: str


@pytest.fixture(scope="module")
def history(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    root = tmp_path_factory.mktemp("history")
    exports = daily_exports(root / "pristine")
    of_other = [
        ticket(
            number, ticket_id=f"TKT-20260410-{number:06d}", source_id=OTHER_SOURCE, created_at=f"{OTHER_DAY}T08:00:00Z"
        )
        for number in range(1, 4)
    ]
    write_export(root / "other" / f"other-{OTHER_DAY}.jsonl", [*of_other, b"{broken"])
    other = declare(root / "other", "other", manifest_id="manifest-other", batch_id="batch-20260410-001")
    with own_warehouse(server, _template, root, LOADER_REJECT_LIMIT="0.5") as database:
        shutil.copytree(root / "pristine", root / "given")
        runs = []
        for verdict in (run(other), run(root / "given" / exports.name, partition=DAY)):
            assert verdict.exit_code == 0, verdict.problems
            runs.append(str(verdict.facts.run["run_id"]))
        with kept(server, database) as whole:
            yield History(whole, root, *runs)


@pytest.fixture
def database(history: History) -> Warehouse:
    return history.whole.fresh()


@pytest.fixture
def exports(history: History, database: Warehouse) -> Path:
    """The manifest of the three days and its files."""
    return history.root / "given" / "m.json"


def held(database: Warehouse) -> Held:
    """Every row of TABLES, and the transaction that wrote it: one that is written again, alike, differs."""
    return {
        table: rows(database, f"select xmin::text, to_jsonb(t) from {table} as t order by to_jsonb(t)::text")
        for table in TABLES
    }


def beyond(
    now: Held,
    runs: tuple[str, ...],
    *,
    days: tuple[str, ...] = (),
    state_of: tuple[str, ...] = (),
    rulesets: tuple[int, ...] = (1,),
) -> Held:
    """The rows of these runs, of other days than these, of other record sources, and of these rulesets."""
    kept_rows: Held = {}
    for table, found in now.items():
        kept_rows[table] = [
            (written, row)
            for written, row in found
            if (table not in OF_RUNS or row["run_id"] in runs)
            and (table not in OF_DAYS or row["partition_key"] not in days)
            and (table != "ops.ingest_state" or row["record_source"] not in state_of)
            and row.get("ruleset_id", 1) in rulesets
        ]
        assert kept_rows[table], f"nothing of {table} is left to compare"
    return kept_rows


def assert_same(before: Held, after: Held) -> None:
    for table, found in before.items():
        assert after[table] == found, table


class TestTheComparison:
    @pytest.mark.parametrize("table", TABLES)
    def test_a_row_that_is_written_again_is_seen(self, table: str, database: Warehouse) -> None:
        """Prevents a comparison that cannot fail: the same contents in a new row version are a touch too."""
        before = held(database)
        (column,) = rows(
            database,
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
            " and attidentity = '' order by attnum limit 1",
            table,
        )[0]
        rows(
            database,
            f"set session_replication_role = replica; update {table} set {column} = {column}"
            f" where ctid = (select min(ctid) from {table})",
        )
        after = held(database)
        assert {name for name in TABLES if after[name] != before[name]} == {table}
        contents = {name: [row for _, row in found] for name, found in after.items()}
        assert contents == {name: [row for _, row in found] for name, found in before.items()}

    def test_there_are_rows_of_two_runs_five_days_and_two_sources(self, history: History, database: Warehouse) -> None:
        """Prevents a history in which a verb has nothing to leave alone."""
        now = held(database)
        assert {row["run_id"] for table in OF_RUNS for _, row in now[table]} == {history.other_run, history.last_run}
        assert {row["partition_key"] for _, row in now["bronze.raw_ticket_event"]} == {OTHER_DAY, DAYS[2]}
        assert {row["partition_key"] for _, row in now["bronze.asset_line"]} == {OTHER_DAY, *DAYS, None}
        assert {(row["record_source"], row["state_kind"]) for _, row in now["ops.ingest_state"]} == {
            (source, kind)
            for source in (OTHER_SOURCE, "structured:tickets:test")
            for kind in ("checkpoint", "cursor", "watermark")
        }
        assert len(now["ops.manifest"]) == 2 and len(now["ops.source_asset"]) == 4


class TestRetry:
    @pytest.mark.parametrize("stage", ["load", "dbt"])
    def test_only_rows_of_its_own_run_change(
        self, stage: str, history: History, database: Warehouse, exports: Path
    ) -> None:
        """Prevents a second attempt that repairs, moves or writes what another run owns."""
        with failing(stage), pytest.raises(OSError, match="No space"):
            run(exports)
        run_id = latest_run(database)
        before = held(database)
        plan = planned("retry", run_id=run_id)
        assert_same(before, held(database))
        verdict = apply_plan(settings(), plan)
        assert verdict.exit_code == 0, verdict.problems
        after = held(database)
        others = (history.other_run, history.last_run)
        allowed: dict[str, Any] = {"days": (DAYS[0], DAYS[1]), "state_of": ("structured:tickets:test",)}
        assert_same(beyond(before, others, **allowed), beyond(after, others, **allowed))
        # The dead attempt stays in the ledger; what it had completed is not written again.
        assert [(row["attempt"], row["status"]) for row in _of_run(after, run_id)] == [(1, "failed"), (2, "warning")]
        (dead,), first = _of_run(before, run_id), _of_run(after, run_id)[0]
        assert first == {**dead, "is_repaired": stage == "load"}
        landed = {row["event_id"] for _, row in after["bronze.raw_ticket_event"]}
        assert len(landed) == 17
        if stage == "dbt":
            assert {table: after[table] for table in BRONZE} == {table: before[table] for table in BRONZE}
        else:
            new = [row for _, row in after["bronze.raw_ticket_event"] if row["partition_key"] in DAYS[:2]]
            assert {row["run_id"] for row in new} == {run_id}


class TestRerun:
    def test_only_its_checkpoint_moves(self, history: History, database: Warehouse) -> None:
        """Prevents a look at the same job again that rewrites what is there, or another source's state."""
        before = held(database)
        verdict = recover("rerun", run_id=history.last_run)
        assert verdict.exit_code == 0, verdict.problems
        after = held(database)
        runs = (history.other_run, history.last_run)
        changed = [row for row in after["ops.ingest_state"] if row not in before["ops.ingest_state"]]
        assert [(row["record_source"], row["state_kind"], row["run_id"]) for _, row in changed] == [
            ("structured:tickets:test", "checkpoint", latest_run(database))
        ]
        assert_same(
            beyond(before, runs, state_of=("structured:tickets:test",)),
            beyond(after, runs, state_of=("structured:tickets:test",)),
        )


class TestReplay:
    @pytest.mark.long
    def test_under_unchanged_rules_it_adds_its_own_run_and_nothing_else(
        self, history: History, database: Warehouse
    ) -> None:
        """Prevents a replay that lands, moves or forgets something although it found no difference."""
        before = held(database)
        verdict = recover("replay", run_id=history.last_run)
        assert verdict.exit_code == 0, verdict.problems
        assert verdict.notes[0].startswith("0 changed")
        runs = (history.other_run, history.last_run)
        after = held(database)
        assert len(_of_run(after, latest_run(database))) == 1
        assert_same(beyond(before, runs), beyond(after, runs))

    def test_under_new_rules_what_the_old_ones_said_stays(
        self, history: History, database: Warehouse, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Prevents a new contract that edits history: lines and rejects of the old ruleset, and other batches."""
        before = held(database)
        stricter_contract(monkeypatch, "another", lambda ticket_id: ticket_id == "TKT-20260417-000002")
        verdict = recover("replay", run_id=history.last_run)
        assert verdict.exit_code == 0, verdict.problems
        assert verdict.notes[0].startswith("1 changed: 0 newly valid, 1 newly rejected")
        after = held(database)
        # No row of Bronze, whatever its day, and no manifest, asset or state: the new ruleset only adds its own.
        old = [*BRONZE, "ops.asset_partition", *OF_RUNS, *OF_ALL]
        runs = (history.other_run, history.last_run)
        found, now = beyond(before, runs), beyond(after, runs)
        for table in old:
            assert now[table] == found[table], table
        anew = {row["asset_id"] for _, row in after["bronze.asset_line"] if row["ruleset_id"] == 2}
        of_other = {
            row["asset_id"] for _, row in before["ops.manifest_asset"] if row["manifest_id"] == "manifest-other"
        }
        assert len(anew) == 3 and not anew & of_other
        gone = [row["ticket_id"] for _, row in before["silver.ticket_fact"]]
        for _, row in after["silver.ticket_fact"]:
            gone.remove(row["ticket_id"])
        assert gone == ["TKT-20260417-000002"]
        day = (DAYS[2],)
        assert (
            beyond(after, runs, days=day)["silver.ticket_fact"] == beyond(before, runs, days=day)["silver.ticket_fact"]
        )


class TestBackfill:
    def test_other_days_runs_and_the_state_stay(self, history: History, database: Warehouse, exports: Path) -> None:
        """Prevents a window that reaches further than asked; its asset holds lines of the next day too."""
        before = held(database)
        verdict = recover("backfill", **backfill_window(DAYS[0], DAYS[1], exports))
        assert verdict.exit_code == 0, verdict.problems
        after = held(database)
        runs = (history.other_run, history.last_run)
        assert_same(beyond(before, runs, days=(DAYS[0],)), beyond(after, runs, days=(DAYS[0],)))
        landed = [row for row in after["bronze.raw_ticket_event"] if row not in before["bronze.raw_ticket_event"]]
        assert [(row["partition_key"], row["run_id"]) for _, row in landed] == [(DAYS[0], latest_run(database))] * 5


class TestRestore:
    def test_it_is_refused_and_leaves_everything(self, database: Warehouse) -> None:
        """Prevents a refusal that has begun its work: not even a run is written."""
        before = held(database)
        with pytest.raises(RefusedError, match="was not released then, so there is no state to go back to"):
            planned("restore", window_start=DAYS[2], window_end="2026-04-18", release=None, as_of=None, reason="tests")
        assert_same(before, held(database))


class TestPlanning:
    @pytest.mark.parametrize("verb", ["rerun", "replay", "backfill"])
    @pytest.mark.long
    def test_a_plan_writes_nothing_but_its_file(self, verb: str, database: Warehouse, exports: Path) -> None:
        """Prevents a dry run that is none."""
        request = backfill_window(DAYS[0], DAYS[1], exports) if verb == "backfill" else {"run_id": None}
        before = held(database)
        plan = planned(verb, **request)
        assert plan["mode"] == verb
        assert_same(before, held(database))


def _of_run(now: Held, run_id: str) -> list[dict[str, Any]]:
    """The attempts of a run, in their order."""
    return sorted(
        (row for _, row in now["ops.ingest_run"] if row["run_id"] == run_id), key=lambda row: int(row["attempt"])
    )
