"""Every command as an operator types it: exit codes, JSON, the next command, and what needs no database."""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from loader.silver import checks_of_reconcile
from loader.warehouse import Role, Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import LOADER, VERDICT, Checkout, Done, make_small_checkout, own_checkout
from tests.ingests import rows, ticket, write_export

COMMANDS = [
    "ingest",
    "dry-run",
    "manifest",
    "status",
    "completeness",
    "site",
    "smoke",
    "build",
    "docs",
    "up",
    "down",
    "env",
    "psql",
    "clean",
]
SUMMARY = ["total", "valid", "invalid", "inserted", "skipped", "errors"]
MANIFEST = "data/seed_manifests/exports.json"


@dataclass(frozen=True)
class Day:
    """One day in a checkout, command by command; 2026-04-17 is ingested, 2026-04-18 is not."""

    checkout: Checkout
    declared: Done
    empty_status: Done
    forecast: Done
    ingested: Done
    status: Done
    forecast_after: Done


@pytest.fixture(scope="module")
def day(server: Warehouse, _template: str) -> Iterator[Day]:
    with own_checkout(server, _template) as checkout:
        yield Day(
            checkout,
            declared=checkout.loader(
                *("manifest", "--from", "data/exports", "--out", MANIFEST, "--owner", "tests", "--license", "CC0-1.0"),
                *("--pii-scan", "clean", "--json"),
            ),
            empty_status=checkout.loader("status"),
            forecast=checkout.loader("dry-run", "--json"),
            ingested=checkout.loader("ingest", "--partition", "2026-04-17", "--json"),
            status=checkout.loader("status", "--json"),
            forecast_after=checkout.loader("dry-run", "--json"),
        )


def test_help_lists_every_command_and_the_exit_codes(day: Day) -> None:
    """The first thing that a stranger types."""
    done = day.checkout.run([*LOADER, "--help"])
    assert done.code == 0
    listed = [line.split()[0] for line in done.out.splitlines() if line.strip()]
    assert [word for word in listed if word in COMMANDS] == COMMANDS
    assert "0 ok · 1 a check failed · 2 usage · 3 infrastructure · 4 refused for safety" in " ".join(done.out.split())


def test_manifest_declares_the_folder(day: Day) -> None:
    record = day.declared.record
    assert day.declared.code == 0
    assert (record["is_written"], record["asset_count"], record["record_count"]) == (True, 2, 80)
    assert (record["manifest_path"], record["next_command"]) == (MANIFEST, f"make dry-run MANIFEST={MANIFEST}")
    assert set(record) >= {"manifest_id", "batch_id", "size_bytes", "notes", "ignored", "roots_to_allow"}


def test_ingest_says_what_became_of_the_day(day: Day) -> None:
    record = day.ingested.record
    assert day.ingested.code == 0, day.ingested
    assert set(record) == VERDICT
    assert [record["summary"][name] for name in SUMMARY] == [81, 80, 0, 50, 30, 0]
    (reconcile,) = record["reconcile"]
    assert (reconcile["partition_key"], reconcile["unexplained_count"]) == ("2026-04-17", 0)
    assert (reconcile["silver_row_count"], reconcile["superseded_count"], reconcile["is_complete"]) == (40, 10, True)
    (released,) = record["release"]["partitions"]
    assert (record["downstream_decision"], released) == (
        "proceed",
        {"record_kind": "ticket_v1", "partition_key": "2026-04-17"},
    )
    for path in record["report_paths"]:
        evidence = json.loads((day.checkout.root / path).read_text())
        assert (evidence["run_id"], evidence["report_path"]) == (record["run_id"], path)
    # Progress goes where it does not disturb a program that reads the answer.
    stages = [line.split()[0] for line in day.ingested.err.splitlines()]
    assert [stage for stage in stages if stage in ("gate", "bronze", "silver")][-1] == "silver" and "gate" in stages
    checked = f" built, {len(checks_of_reconcile(ROOT))} checks of reconcile found nothing in 2 days "
    assert checked in " ".join(day.ingested.err.split())


def test_status_tells_an_empty_warehouse_from_a_proved_one(day: Day) -> None:
    """Is Tuesday complete? And if nobody has begun, what to type."""
    assert day.empty_status.code == 0
    assert day.empty_status.out.splitlines()[-1] == "next: make ingest   # reads what is declared"
    record = day.status.record
    days = [(row["partition_key"], row["is_complete"], row["unexplained_count"]) for row in record["partitions"]]
    assert days == [("2026-04-17", True, 0), ("2026-04-18", False, 0)]
    assert [(run["status"], run["stage"]) for run in record["runs"]] == [("success", "finished")]
    kinds = {"checkpoint", "cursor", "watermark"}
    assert {row["state_kind"] for row in record["state"]} == kinds
    assert (record["findings"], record["absent_assets"]) == ([], [])
    # Declared, and never asked for: nothing is wrong with it.
    assert record["next_command"] == "make psql ROLE=reader   # what readers see"


def test_a_dry_run_with_a_database_tells_new_lines_from_known_ones(day: Day) -> None:
    before, after = day.forecast.record, day.forecast_after.record
    assert (day.forecast.code, day.forecast_after.code) == (0, 0)
    assert before["fates"] == {"would_land": 80, "blank": 1}
    assert after["fates"] == {"would_land": 30, "would_duplicate": 50, "blank": 1}
    assert after["downstream_decision"] == "dry_run_only"
    assert after["next_command"] == "make ingest"
    assert set(after) >= {"run_id", "trace_id", "manifests", "assets", "problems", "report_path", "partition_key"}
    assert Path(after["report_path"]).is_file()


def test_a_dry_run_needs_no_database_and_starts_none(tmp_path: Path) -> None:
    """On a laptop without PostgreSQL, in a checkout that was never used."""
    make_small_checkout(tmp_path / "project")
    checkout = Checkout(tmp_path / "project", None, {"PATH": "/nonexistent", "HOME": "/nonexistent"})
    path = write_export(tmp_path / "project" / "more.jsonl", [ticket(1), ticket(1), b"{}", b""])
    done = checkout.loader("dry-run", "--input", path, "--batch", "batch-20260417-001", "--json")
    assert done.code == 1
    assert done.record["fates"] == {"would_land_or_duplicate": 2, "rejected": 1, "blank": 1}
    assert done.record["assets"][0]["reject_reasons"] == {"missing_required_field": 1}
    assert "1 of 3 lines rejected, allowed 5%" in done.record["problems"][0]
    assert not (checkout.root / ".local").exists()
    spoken = checkout.loader("dry-run", "--input", path, "--batch", "batch-20260417-001")
    assert spoken.next_command == (
        f"make ingest INPUT={path} BATCH=batch-20260417-001   # lands the lines that are good; then a person decides"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["ingest", "--partition", "17.04.2026"], "partition: got '17.04.2026', expected a day as YYYY-MM-DD"),
        (["ingest", "--partition", "2026-02-30"], "partition: got '2026-02-30'"),
        (["ingest", "--partition", ""], "partition: got ''"),
        (["ingest", "--partition", "9999-12-31"], "has no next one"),
        (["ingest", "--limit", "5"], "LIMIT counts lines of one ad-hoc file, got no INPUT"),
        (["ingest", "--input", "f.jsonl", "--batch", "batch-20260417-001", "--limit", "0"], "--limit"),
        (["ingest", "--input", "data/exports/tickets-2026-04-17.jsonl"], "needs a BATCH"),
        (["ingest", "--batch", "batch-20260417-001"], "got no INPUT"),
        (["ingest", "--input", "nowhere.jsonl", "--batch", "batch-20260417-001"], "is no file"),
        (["ingest", "--manifest", ""], "--manifest: got ''"),
        (["ingest", "--manifest", "nowhere.json"], "no file at"),
        (["ingest", "--manifest", "data"], "is a folder"),
        (["status", "--partition", "today"], "partition: got 'today'"),
        (["ingest", "--everything"], "No such option"),
        (["ingest", "--manifest", "a.json", "--manifest", "b.json"], "Option '--manifest' is given twice"),
        (["kind", "new", "one_v1", "--key=a", "--key=b"], "Option '--key' is given twice"),
        (["ingets"], "No such command"),
    ],
)
def test_what_cannot_be_understood_is_exit_2_and_starts_nothing(day: Day, words: list[str], told: str) -> None:
    before = rows(_warehouse(day), "select count(*) from ops.ingest_run")
    done = day.checkout.loader(*words)
    assert (done.code, done.out) == (2, "")
    assert told in done.said and "othing was started" in done.said
    assert done.next_command
    assert rows(_warehouse(day), "select count(*) from ops.ingest_run") == before


def test_a_day_without_lines_is_exit_1_and_names_the_nearest_data(day: Day) -> None:
    done = day.checkout.loader("ingest", "--partition", "2026-04-25")
    assert done.code == 1
    assert "no line of the declared assets belongs to partition 2026-04-25; nearest data: 2026-04-18" in done.said
    assert done.next_command == "make status   # the days that there are lines of"
    # Who mistyped has been told; nothing is wrong with the warehouse.
    assert day.checkout.loader("diagnose").code == 0
    forecast = day.checkout.loader("dry-run", "--partition", "2026-04-25")
    assert forecast.code == 1
    assert "belongs to partition 2026-04-25; nearest data: 2026-04-18" in forecast.said
    assert forecast.next_command == "make status   # the days that there are lines of"


@pytest.mark.parametrize("command", ["ingest", "status", "build", "env"])
def test_a_server_that_does_not_answer_is_exit_3(day: Day, command: str) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = str(held.getsockname()[1])
        done = day.checkout.loader(command, PGHOST="127.0.0.1", PGPORT=port)
    assert (done.code, done.out) == (3, "")
    assert "error: PostgreSQL at 127.0.0.1:" in done.err
    assert done.next_command.startswith(f"pg_isready -h 127.0.0.1 -p {port}   # start it, ")


def test_a_locked_warehouse_is_exit_4_and_says_who_holds_it(day: Day) -> None:
    with closing(_warehouse(day).connect()) as session:
        session.cursor().execute("lock table ops.ingest_lock in exclusive mode")
        done = day.checkout.loader("ingest")
        assert done.code == 4
        assert f"(database session {session.get_backend_pid()})" in done.said
        assert done.next_command == "make status"
        as_json = day.checkout.loader("ingest", "--json").record
    assert (as_json["exit_code"], as_json["next_command"]) == (4, "make status")
    assert "another command writes this warehouse" in as_json["error"]


def test_a_known_manifest_with_other_bytes_is_exit_4(day: Day) -> None:
    body = json.loads((day.checkout.root / MANIFEST).read_text())
    shrunk = day.checkout.root / "data" / "shrunk.json"
    shrunk.write_text(json.dumps({**body, "assets": body["assets"][:1]}))
    done = day.checkout.loader("ingest", "--manifest", shrunk)
    assert done.code == 4
    assert "was registered with" in done.said
    assert done.next_command.startswith("make manifest ")


def test_build_names_each_node_and_plain_dbt_works_in_the_same_warehouse(day: Day) -> None:
    """After `eval "$(loader env)"`, dbt itself is an equal citizen."""
    checkout = day.checkout
    built = checkout.loader("build", "--select", "ticket_fact", "--json")
    assert built.code == 0, built
    assert built.record["next_command"] == "make status"
    assert {"name": "ticket_fact", "status": "success", "failures": None} in built.record["nodes"]
    assert built.record["dbt_invocation_id"]
    words = shlex.split(checkout.loader("env").out)
    variables = dict(word.split("=", 1) for word in words[1:])
    assert (
        variables
        == checkout.loader("env", "--json").record
        == _warehouse(day).acting_as(Role.TRANSFORM).libpq_environment()
    )
    plain = Checkout(checkout.root, None, variables)
    done = plain.run(["dbt", "build", "--project-dir", "dbt_project", "--select", "ticket_fact+"])
    assert done.code == 0, done.out
    assert "Completed successfully" in done.out


@pytest.mark.long
def test_an_ad_hoc_file_is_looked_at_and_nothing_is_taken(day: Day) -> None:
    """A look at the first lines of a file that somebody sent, with a blank in its name."""
    path = write_export(day.checkout.root / "ad hoc.jsonl", [ticket(number) for number in range(501, 506)])
    done = day.checkout.loader("ingest", "--input", path, "--batch", "batch-20260417-007", "--limit", "2")
    assert done.code == 0, done.err
    assert "2 lines, 2 inserted, 0 skipped, 0 invalid, 0 errors" in " ".join(done.out.split())
    assert done.out.splitlines()[-1].startswith("next: make ingest INPUT=")
    statement = (
        "select bool_or(taken_by_run_id is not null) from ops.asset_partition inner join ops.manifest_asset"
        " using (asset_id) where source_id = 'ad hoc.jsonl'"
    )
    assert rows(_warehouse(day), statement) == [(False,)]


def _warehouse(day: Day) -> Warehouse:
    assert day.checkout.warehouse is not None
    return day.checkout.warehouse
