"""What is said while dbt is silent, and how often."""

from __future__ import annotations

import pytest

from loader.silver import watch
from loader.silver.watch import DbtWatch
from loader.warehouse import Warehouse
from loader.warehouse.activity import Blocker
from tests.unit.moved_clock import Clock

NOBODY = Warehouse(host="/nowhere", port=5432, user="omni", dbname="omni")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(watch, "time", made)
    return made


def looked(heard: list[str], watched: DbtWatch, clock: Clock, seconds: int) -> list[str]:
    """What is newly said when somebody looks every two seconds for so long."""
    before = len(heard)
    for _ in range(0, seconds, 2):
        clock.now += 2
        watched.look()
    return heard[before:]


def test_a_node_that_runs_long_is_named_every_ten_seconds(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """One statement that takes minutes looks like a process that hangs: progress counts nodes that end; none does."""
    heard: list[str] = []
    watched = DbtWatch(NOBODY, "dbt-1", heard.append)
    monkeypatch.setattr(watched, "_blockers", list)
    watched.begin("reconcile_fate")
    assert looked(heard, watched, clock, 8) == []
    watched.begin("check_line")
    assert looked(heard, watched, clock, 2) == ["silver: at work on check_line (2 s), reconcile_fate (10 s)"]
    watched.end("check_line")
    assert looked(heard, watched, clock, 8) == []
    assert looked(heard, watched, clock, 2) == ["silver: at work on reconcile_fate (20 s)"]
    assert looked(heard, watched, clock, 10) == ["silver: at work on reconcile_fate (30 s)"]
    watched.end("reconcile_fate")
    assert looked(heard, watched, clock, 30) == []


def test_who_is_waited_for_is_said_at_once_and_again_as_long_as_it_lasts(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    watched = DbtWatch(NOBODY, "dbt-1", heard.append)
    monkeypatch.setattr(watched, "_blockers", lambda: [Blocker(7, "waits for 7"), Blocker(8, "waits for 8")])
    watched.begin("reconcile_load")
    assert looked(heard, watched, clock, 2) == []
    assert looked(heard, watched, clock, 2) == ["silver: waits for 7", "silver: waits for 8"]
    assert looked(heard, watched, clock, 8) == []
    assert looked(heard, watched, clock, 2) == ["silver: waits for 7", "silver: waits for 8"]


def test_the_start_of_dbt_is_told_too(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine it takes most of a minute before the first node begins."""
    heard: list[str] = []
    watched = DbtWatch(NOBODY, "dbt-1", heard.append)
    monkeypatch.setattr(watched, "_blockers", list)
    assert looked(heard, watched, clock, 20) == [
        "silver: dbt starts and reads its project (10 s)",
        "silver: dbt starts and reads its project (20 s)",
    ]
    watched.begin("ticket_fact")
    watched.end("ticket_fact")
    assert looked(heard, watched, clock, 30) == []


def test_a_server_that_does_not_answer_is_for_dbt_to_tell(clock: Clock) -> None:
    heard: list[str] = []
    watched = DbtWatch(NOBODY, "dbt-1", heard.append)
    watched.begin("ticket_fact")
    assert looked(heard, watched, clock, 10) == ["silver: at work on ticket_fact (10 s)"]
