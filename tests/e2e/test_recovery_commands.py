"""The recovery verbs, and the commands that only look, as an operator types them over one small warehouse."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from loader.contract.schema import load_schema, schema_faults
from loader.warehouse import Warehouse
from tests.checkouts import ROOT
from tests.e2e.commands import VERDICT, Checkout, Done, own_checkout
from tests.ingests import rows

PLAN_SCHEMA = ROOT / "contracts" / "recovery" / "recovery_plan_v1.schema.json"
PLAN = "reports/backfill/backfill_plan_2026-04-18.json"
SOURCE = "structured:tickets:test"
RESET = ["state", "reset", "--object", "cursor", "--source", SOURCE, "--to", "2026-04-16T00:00:00Z"]
CHANGE = {
    "dataset",
    "changed_at",
    "record_source",
    "state_kind",
    "old_value_at",
    "new_value_at",
    "run_id",
    "operator",
    "reason",
}


@dataclass(frozen=True)
class Story:
    """One warehouse, command by command: a day is ingested, the other one backfilled, the first looked at again."""

    checkout: Checkout
    warehouse: Warehouse
    ingested: Done
    planned: Done
    applied: Done
    applied_again: Done
    rerun: Done
    replayed: Done
    state: Done

    @property
    def run_id(self) -> str:
        return str(self.ingested.record["run_id"])

    def ledger(self) -> list[tuple[Any, ...]]:
        """The runs, and the state: what a command that refuses must leave as it was."""
        return rows(
            self.warehouse,
            "select run_id::text, attempt, mode, status, null::timestamptz from ops.ingest_run"
            " union all select record_source, null, state_kind, run_id::text, value_at from ops.ingest_state"
            " order by 1, 2, 3",
        )


@pytest.fixture(scope="module")
def story(server: Warehouse, _template: str) -> Iterator[Story]:
    with own_checkout(server, _template) as checkout:
        declared = checkout.loader(
            *("manifest", "--from", "data/exports", "--out", "data/seed_manifests/exports.json", "--owner", "tests"),
            *("--license", "CC0-1.0", "--pii-scan", "clean"),
        )
        assert declared.code == 0, declared
        ingested = checkout.loader("ingest", "--partition", "2026-04-17", "--json")
        run_id = ingested.record["run_id"]
        yield Story(
            checkout,
            checkout.warehouse,
            ingested,
            planned=checkout.loader("plan", "backfill", "--partition", "2026-04-18", "--json"),
            applied=checkout.loader("apply", PLAN, "--json"),
            applied_again=checkout.loader("apply", PLAN, "--json"),
            rerun=checkout.loader("rerun", "--run", run_id, "--mode", "execute", "--json"),
            replayed=checkout.loader("replay", "--run", run_id, "--mode", "execute", "--json"),
            state=checkout.loader("state", "--json"),
        )


def test_a_plan_is_a_file_that_can_be_reviewed(story: Story) -> None:
    """Prevents a plan that says one thing on the terminal and another in the file that is applied."""
    record = story.planned.record
    assert story.planned.code == 0, story.planned
    written = json.loads((story.checkout.root / PLAN).read_bytes())
    assert record == {**written, "next_command": f"make apply PLAN={PLAN}"}
    assert schema_faults(load_schema(PLAN_SCHEMA), written) == []
    assert set(written) == {*json.loads(PLAN_SCHEMA.read_bytes())["required"], "record_kind"}
    assert (record["mode"], record["partition_key"], record["report_path"]) == ("backfill", "2026-04-18", PLAN)
    assert (record["gap_reason"], record["expected_input_count"], record["current_output_count"]) == (
        "missing_partition",
        30,
        0,
    )
    assert record["last_run"] == {"run_id": story.run_id, "attempt": 1}


def test_a_plan_is_applied_once(story: Story) -> None:
    """Prevents a backfill that is done twice because somebody pressed the arrow key."""
    record = story.applied.record
    assert story.applied.code == 0, story.applied
    assert set(record) == VERDICT
    assert (record["exit_code"], record["attempt"], record["summary"]["inserted"]) == (0, 1, 30)
    assert [(part["partition_key"], part["is_complete"]) for part in record["reconcile"]] == [("2026-04-18", True)]
    assert all((story.checkout.root / path).is_file() for path in record["report_paths"])
    refusal = story.applied_again.record
    assert story.applied_again.code == 4
    assert set(refusal) == {"error", "exit_code", "next_command"}
    plan_id = story.planned.record["plan_id"]
    assert refusal["error"] == (
        f"plan {plan_id} was applied already: run {record['run_id']} attempt 1, {record['status']}; nothing was started"
    )
    assert (refusal["exit_code"], refusal["next_command"]) == (4, "make status")


def test_a_plan_whose_request_was_emptied_is_exit_2(story: Story) -> None:
    """Prevents a traceback for an edited plan, and the exit code that a script takes for trouble with the database."""
    plan = json.loads((story.checkout.root / PLAN).read_bytes())
    edited = story.checkout.root / "edited.json"
    edited.write_text(json.dumps({**plan, "plan_id": "01a20360-0000-7000-8000-000000000000", "request": {}}))
    before = story.ledger()
    done = story.checkout.loader("apply", edited)
    assert story.ledger() == before
    assert (done.code, "Traceback" in done.err) == (2, False), done


def test_a_rerun_and_a_replay_find_nothing_new(story: Story) -> None:
    """Prevents a second look that writes: the same lines, no row more."""
    for done in (story.rerun, story.replayed):
        record = done.record
        assert done.code == 0, done
        assert set(record) == VERDICT
        assert (record["exit_code"], record["summary"]["inserted"], record["problems"]) == (0, 0, [])
        assert record["run_id"] != story.run_id
        assert [(part["partition_key"], part["is_complete"]) for part in record["reconcile"]] == [("2026-04-17", True)]
    assert story.rerun.record["summary"]["total"] == 81
    assert story.replayed.record["notes"] == [
        "0 changed: 0 newly valid, 0 newly rejected; 81 lines compared one by one"
    ]
    modes = rows(story.warehouse, "select mode, status from ops.ingest_run order by started_at")
    assert modes == [(mode, "success") for mode in ("ingest", "backfill", "rerun", "replay")]


def test_only_the_ingest_and_its_rerun_moved_the_state(story: Story) -> None:
    """Prevents a backfill or a replay that moves a cursor, and a state that nobody can explain."""
    record = story.state.record
    assert story.state.code == 0
    assert set(record) == {"state", "changes", "next_command"}
    assert all(set(row) == {"dataset", "record_source", "state_kind", "value_at", "run_id"} for row in record["state"])
    assert all(set(change) == CHANGE for change in record["changes"])
    of_ingest, of_rerun = story.run_id, story.rerun.record["run_id"]
    assert [(row["record_source"], row["state_kind"]) for row in record["state"]] == [
        (SOURCE, "checkpoint"),
        (SOURCE, "cursor"),
        (SOURCE, "watermark"),
    ]
    assert record["state"][0]["run_id"] == of_rerun
    # Newest first; the first three are the ingest's.
    by_run = [change["run_id"] for change in record["changes"]]
    assert set(by_run[:-3]) == {of_rerun} and by_run[-3:] == [of_ingest] * 3


def test_verify_counts_every_line(story: Story) -> None:
    """Prevents a proof of nothing that looks like a proof."""
    done = story.checkout.loader("verify", "--run", story.run_id, "--json")
    assert done.code == 0, done
    assert done.record == {
        "run_id": story.run_id,
        "is_proved": True,
        "asset_count": 2,
        "line_count": 81,
        "differences": {},
        "shown": [],
        "unreadable": {},
        "archive": None,
        "next_command": "make status",
    }


def test_diagnose_ends_with_one_command(story: Story) -> None:
    """Prevents a triage that finds trouble where all is in order, or leaves the operator without a command."""
    done = story.checkout.loader("diagnose", "--json")
    assert done.code == 0, done
    record = done.record
    assert set(record) == {"steps", "advice", "next_command", "is_in_order", "notices"}
    assert [(set(step), step["is_in_order"], step["is_noted"]) for step in record["steps"]] == [
        ({"question", "answer", "is_in_order", "is_noted"}, True, False)
    ] * 10
    replay = story.replayed.record["run_id"]
    assert record["steps"][2]["answer"] == f"replay {replay[:13]} ended with success"
    assert (record["is_in_order"], record["next_command"]) == (True, "make psql ROLE=reader   # what readers see")


def test_the_last_line_of_a_plan_is_the_next_command(story: Story) -> None:
    """Prevents a reviewed plan that nobody knows how to apply; and a dry run is the default."""
    before = story.ledger()
    done = story.checkout.loader("replay", "--run", story.run_id)
    assert (done.code, done.err) == (0, "")
    assert (
        done.out.splitlines()[-1] == f"next: make apply PLAN=reports/replay/replay_plan_{story.run_id}_2026-04-17.json"
    )
    assert story.ledger() == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        *(
            ([*words, "--mode", "something"], "'something' is not one of 'dry-run', 'execute'.")
            for words in (
                ["retry", "--latest"],
                ["rerun", "--latest"],
                ["replay", "--run", "x"],
                ["backfill", "--partition", "2026-04-18"],
                ["restore", "--partition", "2026-04-17"],
            )
        ),
        (RESET, "Missing option '--reason'."),
        ([*RESET, "--reason", "  "], "--reason: got nothing, expected why the state is reset; nothing was changed"),
        (["state", "reset", *RESET[2:6], "--to", "yesterday", "--reason", "why"], "--to: got 'yesterday'"),
        (["rerun", "--latest", "--run", "x"], "rerun: got both RUN and --latest"),
        (["backfill"], "a window is never guessed; nothing was started"),
        (["apply", "nowhere.json"], "plan nowhere.json cannot be read"),
        (["verify"], "expected one of --run and --evidence."),
        (["verify", "--run", "nobody"], "no run 'nobody' in this warehouse; nothing was started"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_understood_is_exit_2_and_changes_nothing(story: Story, words: list[str], told: str) -> None:
    """Prevents a typing mistake that is taken for a command."""
    before = story.ledger()
    done = story.checkout.loader(*words)
    assert (done.code, done.out) == (2, "")
    assert told in done.said
    assert done.next_command
    assert story.ledger() == before


@pytest.mark.parametrize(
    ("words", "told", "next_command"),
    [
        (
            ["restore", "--partition", "2026-04-17", "--reason", "tests", "--mode", "execute"],
            "restore: 2026-04-17 was not released then, so there is no state to go back to; nothing was changed",
            "make status",
        ),
        (["retry", "--latest"], "there is nothing to retry, nothing was started", "make rerun RUN="),
    ],
    ids=["restore", "retry"],
)
def test_what_is_refused_for_safety_is_exit_4_and_changes_nothing(
    story: Story, words: list[str], told: str, next_command: str
) -> None:
    """Prevents a refusal that a script takes for success, or that has begun its work."""
    before = story.ledger()
    done = story.checkout.loader(*words, "--json")
    assert done.code == 4
    assert set(done.record) == {"error", "exit_code", "next_command"}
    assert done.record["exit_code"] == 4
    assert told in done.record["error"] and done.record["next_command"].startswith(next_command)
    assert story.ledger() == before


def test_a_reset_keeps_its_reason(story: Story) -> None:
    """Prevents a cursor that went back, and nobody who knows why."""
    done = story.checkout.loader(*RESET, "--reason", "a clock was wrong", "--json")
    assert done.code == 0, done
    record = done.record
    assert set(record) == {*CHANGE, "next_command"}
    assert (record["state_kind"], record["new_value_at"]) == ("cursor", "2026-04-16T00:00:00.000000Z")
    assert (record["reason"], record["run_id"], record["next_command"]) == ("a clock was wrong", None, "make state")
    was = [row["value_at"] for row in story.state.record["state"] if row["state_kind"] == "cursor"]
    assert [record["old_value_at"]] == was
    now = story.checkout.loader("state", "--json").record
    assert now["changes"][0] == {name: value for name, value in record.items() if name != "next_command"}
    assert [row["value_at"] for row in now["state"] if row["state_kind"] == "cursor"] == ["2026-04-16T00:00:00.000000Z"]
