"""Verbs beside a writer that is alive, gaps as plans count them, and runs that must not move the state."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loader.errors import RefusedError
from loader.kinds import load_ruleset
from loader.recovery import make_plan
from loader.runs import Attempt, IngestLock, Job, Ledger, new_run_id, trace_id_of_caller
from loader.runs.registry import register_ruleset
from loader.warehouse import Warehouse
from tests.ingests import declare, rows, run, settings, ticket, write_export
from tests.recoveries import backfill_window, failing, of_day, planned, recover
from tests.shared_warehouse import Kept, kept, own_warehouse

pytestmark = pytest.mark.usefixtures("replayed")


def _at_work(lock: IngestLock) -> Attempt:
    """A run that this lock's session has begun."""
    attempt = Attempt(new_run_id(), 1, trace_id_of_caller())
    with lock.transaction() as cursor:
        ruleset_id = register_ruleset(cursor, load_ruleset(settings().project_root / "contracts"))
    Ledger(lock, attempt, "bronze.raw_ticket_event").start(
        Job("ingest", "batch-20260417-001", (), None, None, ruleset_id)
    )
    return attempt


def _ledger(database: Warehouse) -> list[tuple[Any, ...]]:
    return rows(database, "select xmin::text, to_jsonb(run) from ops.ingest_run as run order by run.started_at")


@pytest.mark.usefixtures("loader_environment")
class TestBesideALiveWriter:
    @pytest.mark.parametrize("is_named", [True, False], ids=["by its id", "as the latest"])
    def test_a_run_that_is_alive_is_not_retried(self, is_named: bool, database: Warehouse) -> None:
        """Prevents a second attempt beside the first, which would remove the first one's loads as a dead one's."""
        with closing(IngestLock.acquire(database)) as lock:
            attempt = _at_work(lock)
            run_id = str(attempt.run_id)
            before = _ledger(database)
            with pytest.raises(RefusedError) as refused:
                recover("retry", run_id=run_id if is_named else None)
            assert refused.value.exit_code == 4
            assert refused.value.message == (
                f"run {run_id} attempt 1 is alive: process {lock.process_id} on {lock.host} holds the ingest lock, in"
                " stage started; nothing was started"
            )
            assert refused.value.next_command == "make status   # again when it has ended"
            assert len(before) == 1 and _ledger(database) == before
            assert not (settings().report_dir / "retry").exists()
        # Its session has ended: the same row is that of a dead run now, and it may be retried.
        plan = planned("retry", run_id=run_id)
        assert (plan["run"]["run_id"], plan["run"]["attempt"]) == (run_id, 1)
        assert plan["proposed_action"].startswith(f"attempt 2 of run {run_id} (ingest)")

    def test_a_lock_without_the_run_is_no_life(self, database: Warehouse) -> None:
        """Prevents a dead run that nobody may retry as long as any other command is at work."""
        with closing(IngestLock.acquire(database)) as lock:
            attempt = _at_work(lock)
        with closing(IngestLock.acquire(database)):
            plan = make_plan(settings(), "retry", {"run_id": str(attempt.run_id)})
        assert plan.run is not None and plan.run["run_id"] == str(attempt.run_id)

    def test_the_lock_s_refusal_names_run_host_process_and_age(self, database: Warehouse, tmp_path: Path) -> None:
        """Prevents an operator who must search for whom to wait, on which machine, and since when."""
        manifest = declare(write_export(tmp_path / "e" / "tickets-2026-04-17.jsonl", [ticket()]).parent)
        with closing(IngestLock.acquire(database)) as lock:
            began = time.monotonic()
            attempt = _at_work(lock)
            time.sleep(1.2)
            with pytest.raises(RefusedError) as refused:
                run(manifest)
            waited = time.monotonic() - began
            told = re.fullmatch(
                r"another command writes this warehouse: run (\S+) attempt 1 on (\S+), process (\d+)"
                r" \(database session (\d+), (\d+) s old\); nothing was started",
                refused.value.message,
            )
            assert told is not None, refused.value.message
            *named, age = told.groups()
            assert named == [str(attempt.run_id), lock.host, str(lock.process_id), str(lock.backend_pid)]
            assert 1 <= int(age) <= waited + 2
            assert (refused.value.exit_code, refused.value.next_command) == (4, "make status")
            assert [row["run_id"] for _, row in _ledger(database)] == [str(attempt.run_id)]

    def test_a_plan_is_not_applied_beside_it(self, database: Warehouse) -> None:
        """Prevents two writers: planning takes no lock, applying does."""
        with closing(IngestLock.acquire(database)) as dead:
            run_id = str(_at_work(dead).run_id)
        with closing(IngestLock.acquire(database)) as lock:
            alive = _at_work(lock)
            before = _ledger(database)
            with pytest.raises(RefusedError, match=f"run {alive.run_id} attempt 1 on {lock.host}, process"):
                recover("retry", run_id=run_id)
            assert _ledger(database) == before


PARTITION = ("partition_key", "gap_reason", "expected_input_count", "current_input_count", "rejected_count")


@pytest.fixture(scope="class")
def gaps(server: Warehouse, _template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kept, str]]:
    """Three days ingested; a day of a second delivery, which holds more; a third that landed and was not built."""
    root = tmp_path_factory.mktemp("gaps")
    deliveries = {
        "first": [of_day(f"2026-04-{day}", number) for day in (10, 11, 12) for number in (1, 2, 3)],
        "second": [
            *(of_day("2026-04-13", number) for number in (1, 2)),
            of_day("2026-04-12", 1, status="closed", updated_at="2026-04-13T09:00:00Z"),
            of_day("2026-04-14", 1, status="lost"),
            *(of_day("2026-04-15", number) for number in (1, 2)),
        ],
        "third": [
            of_day("2026-04-11", 1, status="closed", updated_at="2026-04-16T09:00:00Z"),
            *(of_day("2026-04-16", number) for number in (1, 2)),
        ],
    }
    manifests = []
    for number, (name, lines) in enumerate(deliveries.items(), start=1):
        write_export(root / name / f"{name}.jsonl", lines)
        terms = {"manifest_id": f"manifest-{name}", "batch_id": f"batch-20260416-00{number}"}
        manifests.append(declare(root / name, name, **terms))
    first, second, third = manifests
    with own_warehouse(server, _template, root, LOADER_REJECT_LIMIT="0.5") as database:
        for verdict in (run(first), run(second, partition=date(2026, 4, 13))):
            assert verdict.exit_code == 0, verdict.problems
        with failing("dbt"), pytest.raises(OSError, match="No space"):
            run(third)
        with kept(server, database) as whole:
            yield whole, ",".join(map(str, manifests))


class TestGaps:
    @pytest.fixture
    def manifests(self, gaps: tuple[Kept, str]) -> dict[str, Any]:
        gaps[0].fresh()
        return {"manifest_paths": gaps[1].split(",")}

    def _window(self, first: str, end: str, manifests: dict[str, Any]) -> dict[str, Any]:
        return {**backfill_window(first, end, Path()), **manifests}

    def test_each_reason_is_told_of_its_day(self, manifests: dict[str, Any]) -> None:
        """Prevents a gap that is counted wrong, or not seen: each of these days needs another remedy."""
        plan = planned("backfill", **self._window("2026-04-10", "2026-04-17", manifests))
        assert [tuple(part[name] for name in PARTITION) for part in plan["partitions"]] == [
            ("2026-04-10", "no_gap_detected", 3, 3, 0),
            ("2026-04-11", "output_lag", 4, 4, 0),
            ("2026-04-12", "partial_partition", 4, 3, 0),
            ("2026-04-13", "no_gap_detected", 2, 2, 0),
            ("2026-04-14", "rejected_only", 0, 0, 1),
            ("2026-04-15", "missing_partition", 2, 0, 0),
            ("2026-04-16", "output_lag", 2, 2, 0),
        ]
        assert [part["current_output_count"] for part in plan["partitions"]] == [3, 3, 3, 2, 0, 0, 0]
        assert [part["asset_count"] for part in plan["partitions"]] == [1, 2, 2, 1, 1, 1, 1]
        assert (plan["expected_input_count"], plan["current_output_count"]) == (17, 11)
        assert plan["proposed_action"].startswith("land 4 of 7 partitions")

    @pytest.mark.parametrize(
        ("first", "end", "gravest"),
        [
            ("2026-04-10", "2026-04-17", "missing_partition"),
            ("2026-04-10", "2026-04-15", "partial_partition"),
            ("2026-04-10", "2026-04-12", "output_lag"),
            ("2026-04-13", "2026-04-15", "rejected_only"),
            ("2026-04-13", "2026-04-14", "no_gap_detected"),
        ],
    )
    def test_a_plan_has_the_gravest_of_its_days(
        self, first: str, end: str, gravest: str, manifests: dict[str, Any]
    ) -> None:
        """Prevents a day without a line that hides behind one that merely lags."""
        assert planned("backfill", **self._window(first, end, manifests))["gap_reason"] == gravest

    def test_a_backfill_closes_every_gap_but_rejects(self, manifests: dict[str, Any]) -> None:
        """Prevents a gap that a backfill promises to close and leaves, or a reject that it makes disappear."""
        window = self._window("2026-04-10", "2026-04-17", manifests)
        verdict = recover("backfill", **window)
        assert verdict.exit_code == 0, verdict.problems
        plan = planned("backfill", **window)
        assert {part["partition_key"][-2:]: part["gap_reason"] for part in plan["partitions"]} == {
            **dict.fromkeys(["10", "11", "12", "13", "15", "16"], "no_gap_detected"),
            "14": "rejected_only",
        }
        assert [part["current_output_count"] for part in plan["partitions"]] == [3, 3, 3, 2, 0, 2, 2]
        assert plan["proposed_action"].startswith("land 0 of 7 partitions")


STATE = "select record_source, state_kind, value_at, run_id::text from ops.ingest_state order by 1, 2"
CHANGES = "select count(*) from ops.ingest_state_change"


@pytest.mark.usefixtures("loader_environment")
class TestTheStateStays:
    @pytest.mark.long
    def test_after_too_many_rejects_and_after_a_limited_look(
        self, database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Prevents a checkpoint that says clean of a run that was not, or a cursor past lines that nobody took."""
        write_export(tmp_path / "clean" / "tickets-2026-04-17.jsonl", [ticket(1), ticket(2)])
        assert run(declare(tmp_path / "clean", "clean")).exit_code == 0
        state, changes = rows(database, STATE), rows(database, CHANGES)
        assert [row[1] for row in state] == ["checkpoint", "cursor", "watermark"]
        assert changes == [(3,)]

        rejected = [ticket(3, updated_at="2026-04-18T09:00:00Z"), b"{broken", b"{broken too"]
        write_export(tmp_path / "over" / "tickets-2026-04-18.jsonl", rejected)
        over = declare(tmp_path / "over", "over")
        verdict = run(over)
        assert (verdict.exit_code, "reject_limit_exceeded" in verdict.reason_codes) == (1, True)
        assert verdict.facts.inserted == 1
        assert (rows(database, STATE), rows(database, CHANGES)) == (state, changes)

        newest = [ticket(number, updated_at="2026-04-19T09:00:00Z") for number in (4, 5)]
        looked_at = write_export(tmp_path / "look.jsonl", newest)
        look = run(input_path=looked_at, batch_id="batch-20260419-001", line_limit=1)
        assert (look.exit_code, look.facts.inserted) == (0, 1)
        assert (rows(database, STATE), rows(database, CHANGES)) == (state, changes)

        # Once more lines may be rejected, the same delivery counts; what was only looked at does not.
        monkeypatch.setenv("LOADER_REJECT_LIMIT", "0.9")
        clean = run(over)
        assert clean.exit_code == 0, clean.problems
        moved = {kind: (value_at.isoformat(), run_id) for _, kind, value_at, run_id in rows(database, STATE)}
        assert moved["cursor"] == ("2026-04-18T09:00:00+00:00", str(clean.facts.run["run_id"]))
        assert moved["checkpoint"][1] == str(clean.facts.run["run_id"])

    @pytest.mark.long
    def test_after_a_clean_run_beside_a_delivery_that_was_not_clean(self, database: Warehouse, tmp_path: Path) -> None:
        """Prevents a cursor that a clean run moves past lines of a file that it was not asked for, and that failed."""
        write_export(tmp_path / "clean" / "tickets-2026-04-17.jsonl", [ticket(1), ticket(2)])
        rejected = [ticket(3, updated_at="2026-04-18T09:00:00Z"), b"{broken", b"{broken too"]
        write_export(tmp_path / "over" / "tickets-2026-04-18.jsonl", rejected)
        clean, over = (declare(tmp_path / name, name) for name in ("clean", "over"))
        assert run(clean, over).exit_code == 1
        assert rows(database, STATE) == []
        verdict = run(clean)
        assert verdict.exit_code == 0, verdict.problems
        ((cursor,),) = rows(database, "select value_at from ops.ingest_state where state_kind = 'cursor'")
        assert cursor.isoformat() == "2026-04-17T08:00:00+00:00"
