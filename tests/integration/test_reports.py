"""Reports for people: is it complete, is the set-up sound. Each must be able to say no."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest

from loader.errors import CommandUsageError
from loader.report_files import markdown_table, write_report
from loader.reports import read_completeness, run_smoke_checks
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import forked
from tests.ingests import DAY, declare, rows, run, settings, ticket, write_export
from tests.makefile import loader_words
from tests.second_kind import NOTE, add_note

pytestmark = pytest.mark.usefixtures("replayed", "loader_environment")


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two days in two files, one reject with a day and one without."""
    lines = [ticket(number) for number in range(1, 41)]
    write_export(tmp_path / "exports" / "tickets-2026-04-17.jsonl", [*lines, ticket(41, status="unheard_of"), b"{"])
    other = [ticket(n, ticket_id=f"TKT-20260418-{n:06d}", created_at="2026-04-18T08:00:00Z") for n in range(1, 4)]
    write_export(tmp_path / "exports" / "tickets-2026-04-18.jsonl", other)
    return declare(tmp_path / "exports")


@pytest.mark.long
def test_completeness_answers_for_a_day_and_for_everything(manifest: Path, database: Warehouse) -> None:
    """A proved day is complete; its neighbour, declared and not asked for, is told; a day nobody knows is unknown."""
    assert read_completeness(database, None).answer == "every known partition: nothing is known of it"
    run(manifest, partition=DAY)
    day = read_completeness(database, DAY)
    assert (day.is_complete, day.answer) == (True, "2026-04-17: complete")
    assert [(row["file"], row["landed"], row["rejected"]) for row in day.files] == [("tickets-2026-04-17.jsonl", 40, 2)]
    assert {(row["partition"], row["lines"]) for row in day.rejects} == {("2026-04-17", 1), ("unassigned", 1)}
    assert [row["scope"] for row in day.proofs] == ["all"]

    everything = read_completeness(database, None)
    assert everything.is_complete
    assert everything.answer == "every known partition: complete (1 declared day was never asked for)"
    neighbour = read_completeness(database, date(2026, 4, 18))
    assert (neighbour.is_complete, neighbour.answer) == (False, "2026-04-18: not complete")
    assert read_completeness(database, date(2026, 5, 1)).answer == "2026-05-01: nothing is known of it"
    run(manifest)
    assert read_completeness(database, None).is_complete


def test_completeness_of_one_kind_hangs_on_no_other(manifest: Path, database: Warehouse, tmp_path: Path) -> None:
    """Prevents tickets that are called incomplete, or complete, for what was found of notes of the same day."""
    run(manifest, partition=DAY)
    assert "record_kind" not in read_completeness(database, DAY).markdown()
    add_note(database, tmp_path)
    rows(
        database,
        "insert into release.partition_gate select (jsonb_populate_record(row, %s)).*"
        " from release.partition_gate as row",
        json.dumps({"record_kind": NOTE}),
    )
    rows(
        database,
        "insert into reconcile.reconcile_partition select (jsonb_populate_record(row, %s)).* from"
        " reconcile.reconcile_partition as row where partition_key = %s",
        json.dumps({"record_kind": NOTE, "is_complete": False}),
        DAY,
    )
    rows(
        database,
        "insert into reconcile.reconcile_finding (table_name, check_name, kind, record_kind, finding_count, detail)"
        " values ('bronze.asset_line', 'line_count_differs', 'gap', %s, 1, 'one')",
        NOTE,
    )
    answers = {kind: read_completeness(database, DAY, record_kind=kind) for kind in (None, NOTE, "ticket_v1")}
    assert {kind: answer.answer for kind, answer in answers.items()} == {
        None: "2026-04-17: not complete (1 finding)",
        NOTE: "2026-04-17 of note_v1: not complete (1 finding)",
        "ticket_v1": "2026-04-17 of ticket_v1: complete",
    }
    assert [len(answer.files) for answer in answers.values()] == [1, 0, 1]
    assert [len(answer.rejects) for answer in answers.values()] == [2, 0, 2]
    everything = read_completeness(database, None)
    assert everything.answer == (
        "every known partition: not complete (1 finding; 1 of 2 days asked for: 2026-04-17 of note_v1)"
    )
    assert "| record_kind | partition_key |" in everything.markdown()
    assert everything.record()["unasked"] == [{"record_kind": "ticket_v1", "partition_key": "2026-04-18"}]
    with pytest.raises(
        CommandUsageError,
        match="expected one of call_v1, document_v1, image_v1, note_v1, ocr_text_v1, ticket_comment_v1, ticket_v1",
    ):
        read_completeness(database, DAY, record_kind="visit")


def test_a_day_with_a_missing_file_or_a_finding_is_not_complete(manifest: Path, database: Warehouse) -> None:
    """What the lead needs to hear before a dashboard does: which file, and why."""
    (manifest.parent / "exports" / "tickets-2026-04-18.jsonl").unlink()
    run(manifest)
    day = read_completeness(database, DAY)
    assert not day.is_complete
    assert [row["file"] for row in day.files if row["disposition"] == "missing"] == ["tickets-2026-04-18.jsonl"]

    rows(database, "update silver.ticket_fact set product_version = 'edited' where ticket_id = 'TKT-20260417-000001'")
    run(manifest)
    assert [row["table_name"] for row in read_completeness(database, DAY).findings] == ["silver.ticket_fact"]
    assert "1 finding" in read_completeness(database, DAY).answer


@pytest.mark.long
def test_a_day_is_not_complete_while_anything_landed_that_no_proof_covers(manifest: Path, database: Warehouse) -> None:
    """The command died between landing and dbt: what reconcile said before is not what is there."""
    run(manifest)
    assert read_completeness(database, DAY).is_complete
    rows(database, "delete from ops.proved_load")
    assert "1 load landed that no proof covers" in read_completeness(database, DAY).answer


def test_a_report_is_a_page_and_a_record_of_the_same(tmp_path: Path) -> None:
    """Names of files come from outside: they may not turn a cell into markup or break the table."""
    rows_of_it = [{"file": "a|b\n<script>*.jsonl", "lines": 7, "is_tiled": True, "why": None}]
    assert markdown_table(rows_of_it).splitlines()[2] == r"| a\|b \<script\>\*.jsonl | 7 | yes |  |"
    text, data = write_report(tmp_path / "deep" / "all", "# Page\n", {"rows": rows_of_it})
    assert text.read_text() == "# Page\n"
    assert json.loads(data.read_text()) == {"rows": rows_of_it}
    assert markdown_table([]) == "none\n"


def test_smoke_is_sound_on_a_fresh_warehouse_and_leaves_nothing(database: Warehouse) -> None:
    """The checks try what must be refused; not a row may come of it."""
    checks = run_smoke_checks(settings())
    assert [(check.name, check.detail) for check in checks if not check.is_ok] == []
    of_tables = ["bronze guards", "dbt", "change notes", "serving"]
    names = ["packages", "folders", "contract", "manifests", "warehouse", *of_tables]
    assert [check.name for check in checks] == names
    assert rows(database, "select count(*) from ops.ingest_run") == [(0,)]
    assert not settings().raw_zone.exists()


@pytest.mark.parametrize(
    ("damage", "name", "detail"),
    [
        ("alter table bronze.asset_line disable trigger all", "bronze guards", "Bronze let pass: update bronze"),
        pytest.param(
            "drop trigger require_live_attempt on bronze.asset_line",
            "bronze guards",
            "Bronze let pass: insert into",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "drop trigger note_delete on silver.ticket_fact",
            "change notes",
            "changes of silver.ticket_fact are not",
            marks=pytest.mark.long,
        ),
    ],
)
def test_smoke_says_what_is_not_sound(manifest: Path, database: Warehouse, damage: str, name: str, detail: str) -> None:
    """A guard that is off is what a smoke test is for; the command that it tells switches it on."""
    run(manifest)
    rows(database, damage)
    found = {check.name: check for check in run_smoke_checks(settings()) if not check.is_ok}
    assert found[name].detail.startswith(detail)
    words = loader_words(found[name].next_command or "")
    done = forked(words, dict(os.environ), ROOT)
    assert done.code == 0, done.out + done.err
    unsound = {check.name for check in run_smoke_checks(settings()) if not check.is_ok}
    assert not unsound & {"bronze guards", "change notes"}


def test_smoke_without_a_database_checks_what_it_can(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first thing that is wrong may not hide the others."""
    monkeypatch.setenv("PGHOST", str(tmp_path))
    checks = {check.name: check for check in run_smoke_checks(settings())}
    assert not checks["warehouse"].is_ok
    assert checks["packages"].is_ok and checks["contract"].is_ok
    assert "dbt" not in checks
