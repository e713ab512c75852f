"""No plan depends on how many files there are, whatever the planner takes their lines for."""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from loader.advice import Asked, diagnose
from loader.audit import verify_evidence
from loader.recovery.world import looking_at
from loader.release.ready import readiness
from loader.status import read_status
from loader.warehouse import Role, Warehouse
from tests.ingests import DAY, declare, rows, run, settings, ticket, write_export

pytestmark = pytest.mark.usefixtures("loader_environment")


def bound(database: Warehouse, seconds: int) -> None:
    """No statement of any session that begins from now on may take longer."""
    rows(database, f"alter database {database.dbname} set statement_timeout = '{seconds}s'")


def deliver(folder: Path, count: int) -> Path:
    """One file of `count` tickets of DAY, and its manifest."""
    numbers = range(1, count + 1)
    write_export(
        folder / f"tickets-{DAY}.jsonl", (ticket(number, customer_id=f"customer_{number % 977}") for number in numbers)
    )
    return declare(folder, folder.name)


def look(database: Warehouse) -> None:
    """All that reads and writes nothing, once."""
    warehouse = database.acting_as(Role.LOADER)
    assert readiness(settings(), [DAY]).partitions[0]["is_ready"]
    assert read_status(warehouse, None).partitions
    with looking_at(settings(), warehouse) as world:
        diagnose(Asked(world))
    with closing(warehouse.connect(application_name="test")) as session, session.cursor() as cursor:
        assert verify_evidence(cursor, settings())[1] == []


@pytest.mark.parametrize("proof", ["changes", pytest.param("all", marks=pytest.mark.long)])
def test_a_file_whose_lines_are_taken_for_one_is_proved_in_seconds(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proof: str
) -> None:
    """After thousands of files of one line the planner takes every file for one: it joins the fifty thousand lines of
    the next in nested loops, and the proof of an ingest takes longer than anybody waits."""
    write_export(
        tmp_path / "first" / "tickets-2026-04-16.jsonl",
        [ticket(1, ticket_id="TKT-20260416-000001", created_at="2026-04-16T08:00:00Z")],
    )
    assert run(declare(tmp_path / "first", "first")).exit_code == 0
    # What a sample of very many files says.
    for table in ("bronze.asset_line", "bronze.raw_ticket_event", "reconcile.event_claim"):
        rows(database, f"alter table {table} alter column asset_id set (n_distinct = -1)")
    monkeypatch.setenv("LOADER_PROOF", proof)
    bound(database, 10)
    verdict = run(deliver(tmp_path / "second", 20_000))
    assert (verdict.exit_code, verdict.proof.name) == (0, proof), verdict.problems
    look(database)


@pytest.mark.long
def test_ten_thousand_files_and_then_a_large_one_are_proved_in_seconds(database: Warehouse, tmp_path: Path) -> None:
    """The same with files, for what no setting of one column shows: joins of everything that is counted by file."""
    first = date(2026, 3, 1)
    for number in range(10_000):
        day = first + timedelta(days=number % 40)
        record = ticket(number, ticket_id=f"TKT-{day:%Y%m%d}-{number:06d}", created_at=f"{day}T08:00:00Z")
        write_export(tmp_path / "many" / f"tickets-{day}-{number:05d}.jsonl", [record])
    many = declare(tmp_path / "many", "many")
    bound(database, 10)
    verdict = run(many)
    assert (verdict.exit_code, len(verdict.facts.assets)) == (0, 10_000), verdict.problems
    again = run(many)
    assert (again.exit_code, again.proof.name) == (0, "changes"), again.problems
    verdict = run(deliver(tmp_path / "large", 50_000))
    assert (verdict.exit_code, verdict.proof.name) == (0, "changes"), verdict.problems
    look(database)
