"""What an operator, a disk and a clock do to an ingest: each ends with a clear word, and the next one is whole."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from loader.cli.dry_run_command import next_of
from loader.errors import CommandUsageError, InfrastructureError
from loader.gate import GateReport
from loader.ingest import IngestRequest, execution
from loader.ingest.attempt import git_sha
from loader.ingest.dry_run import dry_run
from loader.runs import IngestLock, new_run_id, repair
from loader.silver import run_dbt
from loader.status import read_status
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import make_small_checkout
from tests.ingests import DAY, declare, fates, rows, run, settings, silver, summary, ticket, write_export
from tests.recoveries import failing

pytestmark = pytest.mark.usefixtures("replayed", "loader_environment")


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    write_export(tmp_path / "e" / "a-2026-04-17.jsonl", [ticket(1), ticket(2)])
    write_export(tmp_path / "e" / "b-2026-04-17.jsonl", [ticket(3), ticket(4)])
    return tmp_path / "e"


def after_the_gate(patch: pytest.MonkeyPatch, deed: Callable[[], object]) -> None:
    judge = execution.inspect_manifest

    def judge_and_do(*arguments: Any, **options: Any) -> GateReport:
        report = judge(*arguments, **options)
        deed()
        return report

    patch.setattr(execution, "inspect_manifest", judge_and_do)


def test_a_file_that_changes_between_gate_and_archive_is_withheld_and_its_sibling_lands(
    exports: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was judged and what is loaded must be the same bytes."""
    manifest = declare(exports)
    with monkeypatch.context() as patch:
        after_the_gate(patch, lambda: write_export(exports / "a-2026-04-17.jsonl", [ticket(1), ticket(9)]))
        verdict = run(manifest)
    assert (verdict.exit_code, fates(verdict)) == (1, {"landed": 2})
    judged = "select reason_codes from ops.manifest_asset where source_id = 'a-2026-04-17.jsonl'"
    assert rows(database, judged) == [(["source_changed_while_reading"],)]
    write_export(exports / "a-2026-04-17.jsonl", [ticket(1), ticket(2)])
    healed = run(manifest)
    assert (healed.exit_code, len(silver(database))) == (0, 4), healed.problems


@pytest.mark.long
def test_what_a_run_landed_that_failed_at_its_evidence_moves_the_cursor_with_the_next(
    exports: Path, database: Warehouse
) -> None:
    """The ledger may not say success of a run without evidence; what it landed stays."""
    manifest = declare(exports)
    with failing("evidence"), pytest.raises(OSError, match="No space"):
        run(manifest)
    ended = "select status, exit_code from ops.ingest_run order by started_at"
    assert rows(database, ended) == [("failed", 3)]
    assert rows(database, "select count(*) from ops.ingest_state") == [(0,)]
    verdict = run(manifest)
    assert summary(verdict) == {"total": 4, "valid": 4, "invalid": 0, "inserted": 0, "skipped": 4, "errors": 0}
    assert rows(database, ended) == [("failed", 3), ("success", 0)]
    cursor = "select value_at::text from ops.ingest_state where state_kind = 'cursor'"
    assert rows(database, cursor) == [("2026-04-17 08:00:00+00",)]


def test_a_report_folder_that_cannot_be_written_is_found_before_anything_starts(
    exports: Path, tmp_path: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after an hour of loading."""
    manifest = declare(exports)
    # Where not even root makes a folder.
    monkeypatch.setenv("LOADER_REPORT_DIR", "/proc/omnisupport-reports")
    with pytest.raises(InfrastructureError, match="nothing was started"):
        run(manifest)
    with pytest.raises(InfrastructureError, match="nothing was started"):
        dry_run(settings(), IngestRequest(manifest_paths=(manifest,)), lambda line: None)
    monkeypatch.setenv("LOADER_REPORT_DIR", os.fsdecode(os.fsencode(tmp_path) + b"/reports-\xff"))
    with pytest.raises(CommandUsageError, match="LOADER_REPORT_DIR"):
        run(manifest)
    assert rows(database, "select count(*) from ops.ingest_run") == [(0,)]


def test_an_archive_that_cannot_be_written_is_infrastructure_and_says_nothing_of_the_data(
    exports: Path, tmp_path: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is no bad file."""
    manifest = declare(exports)
    (tmp_path / "raw_zone").mkdir()
    (tmp_path / "raw_zone" / "sha256").touch()
    monkeypatch.setenv("LOADER_RAW_ZONE", str(tmp_path / "raw_zone"))
    with pytest.raises(InfrastructureError, match="archive"):
        run(manifest)
    assert rows(database, "select status, exit_code from ops.ingest_run") == [("failed", 3)]
    assert rows(database, "select count(*) from ops.manifest_asset") == [(0,)]


@pytest.mark.long
def test_a_source_that_ends_in_year_1_leaves_a_state_that_can_be_read(tmp_path: Path, database: Warehouse) -> None:
    """Cursor minus lateness lies before year 1, where no later command could read it back."""
    ancient = ticket(1, source_id="structured:tickets:ancient", created_at="0001-01-01T00:00:00Z")
    write_export(tmp_path / "e" / "t.jsonl", [ancient, ticket(2)])
    manifest = declare(tmp_path / "e")
    assert run(manifest).exit_code == 0
    state = "select state_kind, value_at::text from ops.ingest_state where record_source like '%ancient'"
    first = "0001-01-01 00:00:00+00"
    assert {("cursor", first), ("watermark", first)} < set(rows(database, state))
    assert run(manifest).exit_code == 0
    assert read_status(database, None).next_command == "make psql ROLE=reader   # what readers see"


def test_the_last_microsecond_of_the_calendar_lands(tmp_path: Path, database: Warehouse) -> None:
    """A window that ends one microsecond later does not exist, and took the whole ingest down."""
    write_export(tmp_path / "e" / "t.jsonl", [ticket(1, created_at="9999-12-31T23:59:59.999999Z"), ticket(2)])
    verdict = run(declare(tmp_path / "e"))
    assert (verdict.exit_code, fates(verdict)) == (0, {"landed": 2}), verdict.problems
    with pytest.raises(CommandUsageError, match="has no next one"):
        run(tmp_path / "m.json", partition=date.max)


def test_repair_leaves_the_working_folders_of_another_warehouse_alone(tmp_path: Path, database: Warehouse) -> None:
    """Two warehouses may be written from one checkout at once, each under its own lock."""
    other = tmp_path / "dlt" / f"{new_run_id().hex}_1"
    other.mkdir(parents=True)
    lock = IngestLock.acquire(database)
    try:
        assert repair(lock, tmp_path / "dlt").working_folders == ()
    finally:
        lock.close()
    assert other.is_dir()


def test_the_next_command_is_not_refused_because_the_last_one_s_session_is_still_ending(database: Warehouse) -> None:
    """A server drops a session's temporary tables before its locks: a busy one would refuse a `make` after a `make`."""
    with closing(IngestLock.acquire(database)) as last:
        for number in range(8):
            with last.transaction() as cursor:
                cursor.execute("".join(f"create temp table t{number}_{n} (line_no text);" for n in range(25)))
    IngestLock.acquire(database).close()


def test_a_statement_that_the_database_stops_is_not_called_a_lost_session(database: Warehouse) -> None:
    """An operator who looks for a restart that never was loses an hour."""
    lock = IngestLock.acquire(database)
    try:
        told = "stopped a statement: canceling statement due to statement timeout"
        with pytest.raises(InfrastructureError, match=told), lock.transaction() as cursor:
            cursor.execute("set local statement_timeout = '10ms'")
            cursor.execute("select pg_sleep(5)")
        with lock.transaction() as cursor:
            cursor.execute("select 1")
    finally:
        lock.close()


def test_a_manifest_that_is_a_pipe_or_has_an_unspeakable_path_is_a_usage_error(exports: Path, tmp_path: Path) -> None:
    """A pipe would be waited for for ever; a path that is no text would fail in the middle."""
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(CommandUsageError, match="is a named pipe"):
        run(tmp_path / "pipe.json")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xff.json"))
    odd.write_bytes(declare(exports).read_bytes())
    with pytest.raises(CommandUsageError, match="expected UTF-8"):
        run(odd)
    with pytest.raises(CommandUsageError, match="expected UTF-8"):
        run(input_path=odd, batch_id="batch-20260417-001")


def test_dbt_errors_never_reach_standard_output(
    database: Warehouse, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Standard output is somebody's JSON; even a quiet dbt prints its errors there."""
    rows(database, "drop table ops.run_asset cascade")
    build = run_dbt(database, ROOT, ["build", "--select", "stg_ops__run_asset"])
    assert build.failed
    printed = capfd.readouterr()
    assert printed.out == ""
    assert 'relation "ops.run_asset" does not exist' in " ".join(printed.err.split())
    make_small_checkout(tmp_path / "project")
    (tmp_path / "project" / "dbt_project" / "models" / "broken.sql").write_text("select {{ nothing( }}")
    with pytest.raises(InfrastructureError, match="model broken"):
        run_dbt(database, tmp_path / "project", ["build"])
    assert capfd.readouterr().out == ""


def test_status_knows_a_working_ingest_from_a_dead_one_and_reads_half_a_reconcile(
    exports: Path, database: Warehouse
) -> None:
    """`make ingest` is the wrong advice while one works, and one model alone may have been built."""
    run(declare(exports), partition=DAY)
    rows(database, "drop table reconcile.reconcile_finding cascade")
    assert not read_status(database, None).is_reconciled
    lock = IngestLock.acquire(database)
    try:
        with lock.transaction() as cursor:
            cursor.execute("update ops.ingest_run set status = 'running', writer_token = %s", (lock.token,))
        assert read_status(database, DAY).next_command.startswith("make status PARTITION=2026-04-17   # again when ")
    finally:
        lock.close()
    assert read_status(database, DAY).next_command.startswith("make retry ")


def test_a_dry_run_says_when_a_day_has_no_lines_and_when_a_file_is_mostly_rejects(exports: Path) -> None:
    """What the ingest would fail for, before it runs."""
    write_export(exports / "c-2026-04-17.jsonl", [ticket(5), b"{}", b"[]"])
    manifest = declare(exports)
    whole = dry_run(settings(), IngestRequest(manifest_paths=(manifest,)), lambda line: None)
    (problem,) = whole.problems
    assert problem.message.startswith(
        "asset c-2026-04-17.jsonl: 2 of 3 lines rejected, allowed 5%; the first: line 2: missing_required_field: "
    )
    other = IngestRequest(manifest_paths=(manifest,), partition=date(2026, 4, 20))
    nothing = dry_run(settings(), other, lambda line: None)
    assert [problem.message for problem in nothing.problems] == [
        "no line of the declared assets belongs to partition 2026-04-20; nearest data: 2026-04-17",
    ]
    # A mistyped day: the same command says the same for ever.
    assert (
        next_of(nothing, settings(), {"PARTITION": "2026-04-20"}) == "make status   # the days that there are lines of"
    )
    # What fails is never told to be typed again: it would fail the same way.
    assert next_of(whole, settings(), {"MANIFEST": "m.json"}) == (
        "make ingest MANIFEST=m.json   # lands the lines that are good; then a person decides"
    )
    (exports / "c-2026-04-17.jsonl").unlink()
    gone = dry_run(settings(), IngestRequest(manifest_paths=(manifest,)), lambda line: None)
    assert next_of(gone, settings(), {"MANIFEST": "m.json"}) == (
        "make manifest FROM=<folder> OUT=<manifest.json>"
        "   # upstream delivers what was declared, or a new manifest of what there is"
    )


def test_a_checkout_without_a_commit_has_no_git_sha(tmp_path: Path) -> None:
    """git prints the word HEAD then, and evidence would carry it as a commit."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    assert git_sha(tmp_path) is None


@pytest.mark.long
def test_two_ingests_at_once_are_one_ingest_and_one_refusal(exports: Path, database: Warehouse) -> None:
    """The second one starts nothing, and the first one's result is whole."""
    with closing(IngestLock.acquire(database)):
        with pytest.raises(Exception, match="another command writes this warehouse") as refusal:
            run(declare(exports))
        assert getattr(refusal.value, "exit_code", None) == 4
    assert run(declare(exports)).exit_code == 0
    assert json.loads(run(declare(exports)).report_paths[0].read_text())["status"] == "success"


@pytest.mark.parametrize("end", [InfrastructureError("a disk", next_command="df"), KeyboardInterrupt()], ids=type)
def test_rows_of_an_attempt_that_recorded_its_own_end_are_removed_before_they_block_the_next(
    exports: Path, database: Warehouse, monkeypatch: pytest.MonkeyPatch, end: BaseException
) -> None:
    """Loaded, not completed, and neither killed nor crashed: the ledger says finished, and the rows are there."""
    manifest = declare(exports)

    def ends(*arguments: Any, **options: Any) -> None:
        raise end

    with monkeypatch.context() as patch:
        patch.setattr(execution, "complete", ends)
        with pytest.raises(type(end)):
            run(manifest)
    assert rows(database, "select count(*) from bronze.raw_ticket_event") == [(4,)]
    verdict = run(manifest)
    assert (verdict.exit_code, fates(verdict)) == (0, {"landed": 4}), verdict.problems
    assert rows(database, "select repaired_row_count from ops.ingest_run order by started_at desc limit 1") == [(8,)]
