"""Dagster's real daemon and GraphQL over a warehouse: colours are what the gate says, whoever did it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from loader.warehouse import Warehouse
from tests.checkouts import ROOT, make_reachable_folder
from tests.dagster.daemon import DAGSTER_COMMAND, Dagster, dagster_over
from tests.e2e.commands import Checkout, make_small_checkout
from tests.ingests import ticket, write_export
from tests.shared_warehouse import fresh_database

KIND = "ticket_v1"
FIVE = [f"2026-04-{day}" for day in range(20, 25)]
BAD = FIVE[2]
STAGES = ("gate", "raw_zone", "bronze", "silver", "serving")


@dataclass(frozen=True)
class Place:
    """A checkout with five days of exports, of one of which half are rejected, and Dagster over it."""

    checkout: Checkout
    dagster: Dagster

    def loader(self, *words: str, code: int = 0) -> None:
        done = self.checkout.loader(*words)
        assert done.code == code, done.err

    def colours(self) -> dict[str, str]:
        return self.dagster.colours(KIND, "serving")

    def is_done(self, count: int) -> bool:
        """Whether as many runs as that have ended, and none is at work."""
        runs = self.dagster.runs()
        return len(runs) >= count and all(status in ("SUCCESS", "FAILURE", "CANCELED") for status, _ in runs)


def export(root: Path, day: str, name: str, **fields: object) -> None:
    number = day.replace("-", "")
    lines: list[object] = [
        ticket(place, ticket_id=f"TKT-{number}-{place:06d}", created_at=f"{day}T10:00:00Z", **fields)
        for place in range(1, 11)
    ]
    if day == BAD:
        lines += [b'{"ticket_id": "none"}'] * 10
    write_export(root / "data" / "exports" / f"tickets-{name}-{day}.jsonl", lines)


def manifest(checkout: Checkout, name: str) -> None:
    words = ["--from", "data/exports", "--out", f"data/seed_manifests/{name}.json", "--owner", "tests"]
    done = checkout.loader("manifest", *words, "--name", name, "--include", f"tickets-{name}-*")
    assert done.code == 0, done.err


@pytest.fixture(scope="module")
def place(server: Warehouse, _template: str) -> Iterator[Place]:
    if not DAGSTER_COMMAND.is_file():
        if os.environ.get("CI"):
            pytest.fail("Dagster's environment is missing: make test-dagster makes it")
        pytest.skip("Dagster's environment is missing: make test-dagster makes it")
    folder = make_reachable_folder()
    root = folder / "project"
    make_small_checkout(root)
    shutil.rmtree(root / "data" / "exports")
    with fresh_database(server, _template) as database:
        checkout = Checkout(root, database)
        for day in FIVE:
            export(root, day, "first")
        manifest(checkout, "first")
        # `loader` of this environment, where a checkout has its own.
        command = root / ".venv" / "bin" / "loader"
        command.parent.mkdir(parents=True)
        command.write_text(
            f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c "from loader.cli import main; main()" "$@"\n'
        )
        command.chmod(0o755)
        with dagster_over(root, checkout.environment) as dagster:
            yield Place(checkout, dagster)
    shutil.rmtree(folder)


def test_a_backfill_of_five_days_is_a_plan_of_ours_in_one_run_and_the_one_that_fails_is_red(place: Place) -> None:
    """Prevents a green square of a day that readers may not rely on, and a red one that hides its siblings."""
    place.dagster.backfill(KIND, *FIVE)
    place.dagster.wait_for(lambda: place.is_done(1))
    ((status, tags),) = place.dagster.runs()
    assert status == "FAILURE" and "omni/run_id" in tags, place.dagster.log.read_text()
    released = dict.fromkeys(FIVE, "MATERIALIZED")
    assert {stage: place.dagster.colours(KIND, stage) for stage in STAGES} == {
        **dict.fromkeys(STAGES[:-1], released),
        "serving": {**released, BAD: "FAILED"},
    }
    (plan,) = (place.checkout.root / "reports" / "backfill").glob("*.json")
    said = json.loads(plan.read_text())
    assert (said["window_start"], said["window_end"]) == (FIVE[0], "2026-04-25")
    passed, rows = place.dagster.wait_for(lambda: place.dagster.check(KIND, "serving"))
    assert (passed, [(row["day"], row["code"]) for row in rows]) == (False, [(BAD, "reject_limit_exceeded")])
    assert "ACCEPT_REJECTS=1" in rows[0]["next"]
    assert place.dagster.check(KIND, "silver") == (True, [])


def test_what_a_person_lets_pass_on_the_command_line_is_green_within_a_tick(place: Place) -> None:
    """Prevents a day that stays red for ever, because a person mended it where Dagster does not look."""
    place.loader("release", "--partition", BAD, "--accept-rejects", "--reason", "a known export")
    place.dagster.wait_for(lambda: place.colours().get(BAD) == "MATERIALIZED", 90)
    place.dagster.wait_for(lambda: place.dagster.check(KIND, "serving") == (True, []), 90)


def test_an_ingest_and_a_restore_of_the_command_line_take_their_colours(place: Place) -> None:
    """Prevents a square that is green while readers see an earlier version, or grey while they see the day."""
    count = len(place.dagster.runs())
    export(place.checkout.root, FIVE[0], "second", status="closed", updated_at="2026-04-21T10:00:00Z")
    export(place.checkout.root, "2026-04-26", "second")
    manifest(place.checkout, "second")
    # The file with the rejects is declared still.
    place.loader("ingest", "--kind", KIND, code=1)
    place.dagster.wait_for(lambda: place.colours().get("2026-04-26") == "MATERIALIZED", 90)
    assert len(place.dagster.runs()) == count
    place.loader("restore", "--partition", FIVE[0], "--reason", "a wrong export", "--mode", "execute")
    place.dagster.wait_for(lambda: place.colours()[FIVE[0]] == "FAILED", 120)
    place.dagster.wait_for(lambda: place.is_done(count + 1))
    assert {day for day, colour in place.colours().items() if colour == "FAILED"} == {FIVE[0]}
    assert place.dagster.runs()[0][1]["omni/reports"]
    place.loader("release", "--partition", FIVE[0])
    place.dagster.wait_for(lambda: place.colours()[FIVE[0]] == "MATERIALIZED", 90)


def test_two_at_once_write_one_after_the_other(place: Place) -> None:
    """Prevents a backfill that fails because another one was at work."""
    count = len(place.dagster.runs())
    for day in ("2026-04-27", "2026-04-28"):
        export(place.checkout.root, day, "third")
    manifest(place.checkout, "third")
    place.dagster.backfill(KIND, "2026-04-27")
    place.dagster.backfill(KIND, "2026-04-28")
    place.dagster.wait_for(lambda: place.is_done(count + 2))
    assert [status for status, _ in place.dagster.runs()[:2]] == ["SUCCESS", "SUCCESS"]
    assert {place.colours()[day] for day in ("2026-04-27", "2026-04-28")} == {"MATERIALIZED"}


def test_a_day_without_lines_stays_grey_and_is_no_failure(place: Place) -> None:
    """Prevents a calendar that is red on each Sunday."""
    count = len(place.dagster.runs())
    place.dagster.backfill(KIND, "2026-03-01")
    place.dagster.wait_for(lambda: place.is_done(count + 1))
    assert place.dagster.runs()[0][0] == "SUCCESS"
    assert "2026-03-01" not in place.colours()
