"""The recovery verbs on comments, beside tickets of the same days and of a record source of the same name: what is
asked for happens to them, and nothing to the tickets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from loader.cli.recovery_commands import apply, backfill, replay
from loader.cli.state_command import state as state_command
from loader.errors import RefusedError
from loader.ingest import Verdict
from loader.progress import Silent
from loader.recovery import apply_plan
from loader.release import ReleaseRequest
from loader.release.by_hand import release
from loader.runs.state import StateObject, read_state, reset_state
from loader.warehouse import Role, Warehouse
from tests.ingests import SILVER_OF_COMMENTS, comment, declare, rows, run, settings, silver, ticket, write_export
from tests.recoveries import DAYS, backfill_window, failing, latest_run, planned, recover
from tests.states import States

pytestmark = pytest.mark.usefixtures("replayed")

TICKETS, COMMENTS = "ticket_v1", "ticket_comment_v1"
OF_TICKETS, OF_COMMENTS = "bronze.raw_ticket_event", "bronze.raw_ticket_comment_event"
SOURCE = "helpdesk"

# Every row of tickets and of what the loader keeps of them, and the transaction that wrote it.
_OF_ASSETS = "asset_id in (select asset_id from ops.source_asset where record_kind = 'ticket_v1')"
_TICKETS = {
    "bronze.raw_ticket_event": "true",
    "bronze.asset_line": _OF_ASSETS,
    "bronze.rejected_record": _OF_ASSETS,
    "ops.asset_partition": _OF_ASSETS,
    "ops.asset_index": _OF_ASSETS,
    "ops.source_asset": "record_kind = 'ticket_v1'",
    "ops.ingest_run": "record_kind = 'ticket_v1'",
    "ops.completed_load": "record_kind = 'ticket_v1'",
    "ops.ingest_state": f"dataset = '{OF_TICKETS}'",
    "silver.ticket_fact": "true",
    "release.ticket_fact": "true",
    "release.partition_pointer": "record_kind = 'ticket_v1'",
    "release.partition_version": "record_kind = 'ticket_v1'",
}
_STATE = f"select state_kind, value_at, run_id::text from ops.ingest_state where dataset = '{OF_COMMENTS}' order by 1"
_SHOWN = "select comment_id, visibility from serving.ticket_comment_fact order by 1"


def _records(day: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A ticket and a comment of a day."""
    digits = day.replace("-", "")
    common = {"created_at": f"{day}T08:00:00Z", "source_id": SOURCE}
    return (
        ticket(number, ticket_id=f"TKT-{digits}-{number:06d}", **common),
        comment(number, comment_id=f"CMT-{digits}-{number:06d}", **common),
    )


def both_kinds(root: Path) -> tuple[Path, Path]:
    """A state (tests/states.py): three days of tickets, ingested whole, and of comments the last one; the manifests."""
    for place, day in enumerate(DAYS):
        pairs = [_records(day, number) for number in range(1, 4)]
        # Records of the day before, too: the file of a day reaches into it.
        pairs += [_records(DAYS[place - 1], 5)] if place else []
        for kind, records in zip((TICKETS, COMMENTS), zip(*pairs, strict=True), strict=True):
            write_export(root / kind / f"e-{day}.jsonl", [*records, b"{broken"])
    tickets, comments = (declare(root / kind, kind, kind=kind) for kind in (TICKETS, COMMENTS))
    for verdict in (run(tickets), run(comments, partition=date.fromisoformat(DAYS[2]))):
        assert verdict.exit_code == 0, verdict.problems
    return tickets, comments


@pytest.fixture
def place(states: States) -> Iterator[tuple[Warehouse, Path, Path]]:
    """The warehouse, and the manifests of tickets and of comments; at the end nothing of the tickets has changed."""
    with states.begin(both_kinds, LOADER_REJECT_LIMIT="0.5") as state:
        before = _of_tickets(state.database)
        yield state.database, *state.made
        after = _of_tickets(state.database)
        for table, held in before.items():
            assert held and after[table] == held, table


def _of_tickets(database: Warehouse) -> dict[str, list[Any]]:
    return {
        table: rows(database, f"select xmin::text, to_jsonb(t) from {table} as t where {of_kind} order by 2::text")
        for table, of_kind in _TICKETS.items()
    }


def _comments(database: Warehouse) -> list[str]:
    return [row["comment_id"] for row in silver(database, SILVER_OF_COMMENTS)]


def _ids(day: str, *numbers: int) -> list[str]:
    return [f"CMT-{day.replace('-', '')}-{number:06d}" for number in numbers]


def test_backfill_lands_the_kind_that_is_asked_for(place: tuple[Warehouse, Path, Path]) -> None:
    """Prevents a plan of tickets' days, and a cursor of comments that a backfill moves."""
    database, tickets, comments = place
    state = rows(database, _STATE)
    window = backfill_window(DAYS[0], DAYS[2], comments, record_kind=COMMENTS)
    plan = planned("backfill", **{**window, "manifest_paths": [str(tickets), str(comments)]})
    assert (plan["record_kind"], [day["expected_input_count"] for day in plan["partitions"]]) == (COMMENTS, [4, 4])
    assert plan["report_path"].endswith(f"{COMMENTS}/backfill_plan_{DAYS[0]}_{DAYS[1]}.json")
    verdict = apply_plan(settings(), plan)
    assert isinstance(verdict, Verdict) and verdict.exit_code == 0, verdict.problems
    assert _comments(database) == [*_ids(DAYS[0], 1, 2, 3, 5), *_ids(DAYS[1], 1, 2, 3, 5), *_ids(DAYS[2], 1, 2, 3)]
    assert rows(database, _STATE) == state


def test_retry_ends_what_a_dead_run_of_it_began(place: tuple[Warehouse, Path, Path]) -> None:
    """Prevents an attempt under the ruleset of tickets, and one that repairs what is theirs."""
    database, _, comments = place
    with failing("load"), pytest.raises(OSError, match="No space"):
        run(comments)
    dead = latest_run(database)
    verdict = recover("retry", run_id=None)
    assert verdict.exit_code == 0, verdict.problems
    assert rows(
        database, "select record_kind, attempt, status from ops.ingest_run where run_id = %s order by 2", dead
    ) == [
        (COMMENTS, 1, "failed"),
        (COMMENTS, 2, "warning"),
    ]
    assert len(_comments(database)) == 11


@pytest.mark.long
def test_rerun_moves_nothing_but_its_checkpoint(place: tuple[Warehouse, Path, Path]) -> None:
    """Prevents the checkpoint of tickets that names a run of comments."""
    database, *_ = place
    before, shown = dict(_state(database)), rows(database, _SHOWN)
    verdict = recover("rerun", run_id=None)
    assert verdict.exit_code == 0, verdict.problems
    after = dict(_state(database))
    assert {kind for kind in after if after[kind] != before[kind]} == {"checkpoint"}
    assert after["checkpoint"][1] == latest_run(database)
    assert rows(database, _SHOWN) == shown


def _state(database: Warehouse) -> list[tuple[str, tuple[datetime, str]]]:
    return [(kind, (value_at, run_id)) for kind, value_at, run_id in rows(database, _STATE)]


def test_replay_reads_its_files_under_its_own_rules(
    place: tuple[Warehouse, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents files of comments that are judged as tickets: all of their lines would be rejected."""
    database, *_ = place
    verdict = recover("replay", run_id=latest_run(database))
    assert verdict.exit_code == 0, verdict.problems
    assert verdict.notes[0].startswith("0 changed")
    ((replayed, kind),) = rows(
        database, "select mode, record_kind from ops.ingest_run order by event_number desc limit 1"
    )
    assert (replayed, kind) == ("replay", COMMENTS)
    assert _comments(database) == _ids(DAYS[2], 1, 2, 3)


def test_restore_brings_its_earlier_state_back_and_holds_it_alone(place: tuple[Warehouse, Path, Path]) -> None:
    """Prevents a day of tickets that goes back, or is held, with the comments of that day."""
    database, _, comments = place
    edited = {**_records(DAYS[2], 1)[1], "visibility": "internal", "updated_at": f"{DAYS[2]}T09:00:00Z"}
    write_export(comments.parent / "edits" / f"e-{DAYS[2]}.jsonl", [edited])
    verdict = run(declare(comments.parent / "edits", "edits", kind=COMMENTS))
    assert verdict.exit_code == 0, verdict.problems
    public, internal = (
        list(zip(_ids(DAYS[2], 1, 2, 3), shown, strict=True))
        for shown in (("public", "public", "public"), ("internal", "public", "public"))
    )
    assert rows(database, _SHOWN) == internal

    day = {"window_start": DAYS[2], "window_end": "2026-04-18", "release": None, "as_of": None, "reason": "tests"}
    plan = planned("restore", **day, record_kind=COMMENTS)
    assert [(each["record_kind"], each["partition_key"]) for each in plan["pointers"]] == [(COMMENTS, DAYS[2])]
    apply_plan(settings(), plan)
    assert rows(database, _SHOWN) == public
    held = rows(database, "select record_kind, partition_key::text from release.partition_hold")
    assert held == [(COMMENTS, DAYS[2])]
    release(settings(), ReleaseRequest([date.fromisoformat(DAYS[2])], record_kind=COMMENTS), Silent())
    assert rows(database, _SHOWN) == internal
    assert rows(database, "select * from release.partition_hold") == []


def test_the_state_of_each_kind_is_its_own(place: tuple[Warehouse, Path, Path]) -> None:
    """Prevents a cursor of comments that is shown, or set back, as the one of tickets: the sources have one name."""
    database, *_ = place
    loader = database.acting_as(Role.LOADER)
    before = read_state(loader, OF_TICKETS, 20)
    instant = datetime.fromisoformat("2026-04-01T00:00:00+00:00")
    change = reset_state(
        loader, StateObject(OF_COMMENTS, "cursor", SOURCE), instant, "a clock was wrong", wait_seconds=0
    )
    assert change["new_value_at"] == "2026-04-01T00:00:00.000000Z"
    assert read_state(loader, OF_TICKETS, 20) == before
    shown = {}
    for kind in (TICKETS, COMMENTS):
        told = CliRunner().invoke(state_command, ["--kind", kind, "--json"], standalone_mode=False)
        assert told.return_value == 0, told.output
        shown[kind] = {row["state_kind"]: row["value_at"] for row in json.loads(told.output)["state"]}
    every, changes = read_state(loader, None, 20)
    assert [(row["dataset"], row["state_kind"]) for row in every] == [
        (dataset, kind) for dataset in (OF_COMMENTS, OF_TICKETS) for kind in ("checkpoint", "cursor", "watermark")
    ]
    assert {row["dataset"] for row in changes} == {OF_TICKETS, OF_COMMENTS}
    told = CliRunner().invoke(state_command, [], standalone_mode=False).output
    assert f"{SOURCE} in {OF_COMMENTS}" in told and f"{SOURCE} in {OF_TICKETS}" in told
    assert shown[COMMENTS]["cursor"] == "2026-04-01T00:00:00.000000Z"
    assert shown[TICKETS]["cursor"] == f"{DAYS[2]}T08:00:00.000000Z"


def test_an_auditor_sees_the_recorded_day_of_each_kind(place: tuple[Warehouse, Path, Path]) -> None:
    """Prevents a day of comments that hides what was recorded of the tickets of that day."""
    database, *_ = place
    counts = "select record_kind, line_count from ops.recorded_partition where partition_key = %s order by 1"
    assert rows(database.acting_as(Role.AUDITOR), counts, DAYS[2]) == [(COMMENTS, 3), (TICKETS, 3)]


def test_a_restore_without_a_kind_is_of_every_kind(states: States) -> None:
    """Prevents a plan that moves comments and counts tickets alone, and a day of which one kind cannot go back that
    says no command for the other."""
    with states.begin(both_kinds, LOADER_REJECT_LIMIT="0.5") as state:
        root = state.made[0].parent
        day = {"window_start": DAYS[2], "window_end": "2026-04-18", "release": None, "as_of": None, "reason": "tests"}
        for kind, edited in zip((TICKETS, COMMENTS), _records(DAYS[2], 1), strict=True):
            edit = {**edited, "updated_at": f"{DAYS[2]}T09:00:00Z"}
            verdict = run(write_edit(root / f"edit-{kind}", edit, kind))
            assert verdict.exit_code == 0, verdict.problems
            if kind == TICKETS:
                with pytest.raises(RefusedError) as refused:
                    planned("restore", **day)
        of_comments = f"{DAYS[2]} of {COMMENTS}"
        assert refused.value.message.startswith(f"restore: {of_comments} was not released then, so there is no state")
        assert refused.value.next_command is not None
        assert refused.value.next_command.startswith(f"make restore PARTITION={DAYS[2]} KIND={TICKETS} RELEASE=")
        plan = planned("restore", **day)
        assert [(each["record_kind"], each["partition_key"]) for each in plan["pointers"]] == [
            (COMMENTS, DAYS[2]),
            (TICKETS, DAYS[2]),
        ]
        assert [
            (each["record_kind"], each["expected_input_count"], each["current_output_count"])
            for each in plan["partitions"]
        ] == [(COMMENTS, 4, 3), (TICKETS, 4, 3)]
        assert (plan["expected_input_count"], plan["current_output_count"]) == (8, 6)
        assert plan["proposed_action"] == (
            f"an earlier state of 2 partitions ({COMMENTS} 1, {TICKETS} 1) is shown, and held"
        )
        apply_plan(settings(), plan)
        held = rows(state.database, "select record_kind, partition_key::text from release.partition_hold order by 1")
        assert held == [(COMMENTS, DAYS[2]), (TICKETS, DAYS[2])]


def write_edit(folder: Path, record: dict[str, Any], kind: str) -> Path:
    """The manifest of an export of one record."""
    write_export(folder / f"e-{DAYS[2]}.jsonl", [record])
    return declare(folder, folder.name, kind=kind)


def _told(command: click.Command, *words: str) -> tuple[int, dict[str, Any]]:
    """What a command says to a program, and its exit code."""
    done = CliRunner().invoke(command, [*words, "--json"], standalone_mode=False)
    assert done.exception is None, done.output
    return done.return_value, json.loads(done.stdout)


def test_a_batch_of_several_kinds_is_replayed_kind_by_kind(states: States) -> None:
    """Prevents a batch that cannot be replayed since two kinds were delivered in it, a plan that the plan of the other
    kind makes stale, and a program that has to know the kinds to ask for a backfill."""
    with states.begin(both_kinds, LOADER_REJECT_LIMIT="0.5") as state:
        tickets, comments = state.made
        ((batch,),) = rows(state.database, "select distinct batch_id from ops.manifest")
        code, told = _told(replay, "--batch", batch)
        assert (code, told["exit_code"]) == (0, 0)
        plans = told["plans"]
        assert [(each["record_kind"], len(each["assets"])) for each in plans] == [(TICKETS, 3), (COMMENTS, 3)]
        for plan in plans:
            assert _told(apply, plan["report_path"])[0] == 0
        code, told = _told(replay, "--batch", batch, "--mode", "execute")
        assert [(each["record_kind"], each["exit_code"]) for each in told["runs"]] == [(TICKETS, 0), (COMMENTS, 0)]
        assert (code, told["exit_code"]) == (0, 0)
        replayed = "select record_kind from ops.ingest_run where mode = 'replay' order by event_number"
        assert [kind for (kind,) in rows(state.database, replayed)] == [TICKETS, COMMENTS] * 2

        manifests = ("--manifest", f"{tickets},{comments}")
        code, told = _told(backfill, "--from", DAYS[0], "--to", DAYS[2], *manifests)
        assert [(each["record_kind"], each["gap_reason"]) for each in told["plans"]] == [
            (TICKETS, "no_gap_detected"),
            (COMMENTS, "no_gap_detected"),
        ]
        code, told = _told(backfill, "--partition", "2026-05-01", *manifests)
        assert (code, told["exit_code"]) == (1, 1)
        assert [(each["record_kind"], each["error"][:30]) for each in told["plans"]] == [
            (kind, "no line belongs to 2026-05-01;") for kind in (TICKETS, COMMENTS)
        ]
