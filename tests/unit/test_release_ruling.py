"""What the gate decides from what it is asked and what the database knows; no database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from loader.evidence import Finding
from loader.obstacles import Code, Obstacle
from loader.partition import Partition
from loader.release.board import Board
from loader.release.releases import Act
from loader.release.ruling import Request, Ruling, judge
from loader.silver import Proved

TICKET, COMMENT = "ticket_v1", "comment_v1"
A, B, C = (Partition(TICKET, date(2026, 4, day)) for day in (14, 15, 16))
OF_COMMENTS = Partition(COMMENT, A.day)
REJECTS, DRIFT, PENDING = (
    Obstacle(Code.TOO_MANY_REJECTS, names=("a.jsonl",)),
    Obstacle(Code.DRIFT, names=("fewer",)),
    Obstacle(Code.MISSING, 1),
)
# A and B are checked and changed since they were released; nobody has seen C, of which nothing is known.
BOARD = Board(
    held=frozenset(),
    changing=frozenset({A, B}),
    links=frozenset(),
    checked={A: [], B: []},
    findings=(),
    unproved=frozenset(),
    rejects={},
    drifts={},
    pointers={A: 1, B: 1},
    newest={A: 1, B: 1},
)
REQUEST = Request(Act("publish", "tests", "a" * 32), 0.05, Proved())
OVERRIDE = replace(REQUEST, act=replace(REQUEST.act, kind="override"))


def judged(request: Request = REQUEST, **changes: Any) -> Ruling:
    return judge(replace(BOARD, **changes), request)


def kept_back(ruling: Ruling) -> dict[Partition, list[str]]:
    """The codes that keep partitions back, of each decision that is not open."""
    found: dict[Partition, list[str]] = {}
    for decision in ruling.decisions:
        for partition, obstacle in decision.obstacles:
            found.setdefault(partition, []).append(str(obstacle.code))
    return found


def finding(kind: str | None, day: date | None) -> Finding:
    return Finding("silver.ticket_fact", "gone", day, None, 1, "", kind)


def test_what_changed_and_is_sound_moves() -> None:
    ruling = judged()
    assert (ruling.moving, ruling.is_release, ruling.waiting) == ((A, B), True, frozenset())
    assert ruling.obstacles == {A: [], B: []}


def test_what_readers_see_already_is_no_release() -> None:
    """Prevents a release that changes nothing for readers."""
    assert judged(changing=frozenset()).decisions == ()
    asked = judged(replace(REQUEST, only=frozenset({A})), changing=frozenset())
    assert (asked.moving, asked.is_release) == ((A,), False)


@pytest.mark.parametrize(
    ("changes", "behind"),
    [
        ({"pointers": {A: 1}, "newest": {A: 1}}, (B,)),
        ({"newest": {A: 1, B: 2}}, (B,)),
        ({"pointers": {A: 1}, "newest": {A: 1}, "checked": {A: [], B: [Obstacle(Code.UNASKED, 1)]}}, ()),
    ],
)
def test_a_day_that_was_never_shown_or_is_behind_waits(changes: dict[str, Any], behind: tuple[Partition, ...]) -> None:
    """One that nobody has asked for does not."""
    ruling = judged(changing=frozenset(), **changes)
    assert (ruling.moving, ruling.is_release) == (behind, bool(behind))


def test_without_a_proof_nothing_moves() -> None:
    ruling = judged(replace(REQUEST, proved=None))
    assert kept_back(ruling) == {A: ["not_proved"], B: ["not_proved"]}
    assert (ruling.moving, ruling.waiting) == ((), frozenset({A, B}))


@pytest.mark.parametrize(("day", "changed"), [(A.day, {A}), (None, {A, B})])
def test_what_changed_after_its_proof_stays_back(day: date | None, changed: set[Partition]) -> None:
    """A change that names no day is of every day of its kind, and of no other kind."""
    ruling = judged(unproved=frozenset({(TICKET, day)}), changing=frozenset({A, B, OF_COMMENTS}))
    assert {key for key, codes in kept_back(ruling).items() if "changed_since_proof" in codes} == changed


@pytest.mark.parametrize(
    ("found", "damaged"),
    [
        (finding(TICKET, A.day), {A}),
        (finding(None, A.day), {A, OF_COMMENTS}),
        (finding(TICKET, None), {A, B}),
    ],
)
def test_a_finding_keeps_back_what_it_may_be_of(found: Finding, damaged: set[Partition]) -> None:
    everything = frozenset({A, B, OF_COMMENTS})
    ruling = judged(findings=(found,), changing=everything, checked=dict.fromkeys(everything, ()))
    assert kept_back(ruling) == {partition: ["reconcile_finding"] for partition in damaged}
    assert set(ruling.moving) == everything - damaged


def test_a_day_that_the_build_left_open_is_damaged_without_its_findings() -> None:
    """Another build has taken them away meanwhile."""
    ruling = judged(replace(REQUEST, proved=Proved(frozenset({(TICKET, A.day)}))))
    assert (kept_back(ruling), ruling.damaged) == ({A: ["left_open"]}, {A})


def test_what_blocks_a_run_keeps_back_what_waits_alone() -> None:
    ruling = judged(replace(REQUEST, blocked_by=(Obstacle(Code.RUN_FAILED),)), changing=frozenset({A}))
    assert ruling.obstacles == {A: [Obstacle(Code.RUN_FAILED)], B: []}


def test_a_held_day_stays_until_it_is_asked_for() -> None:
    assert kept_back(judged(held=frozenset({A}))) == {A: ["held"]}
    freeing = judged(replace(REQUEST, only=frozenset({A}), frees=True), held=frozenset({A, B}))
    assert (freeing.moving, freeing.freed) == ((A,), frozenset({A}))


def test_a_hold_of_a_day_of_which_nothing_is_known_only_ends() -> None:
    """Prevents a release that says of a day that it is there."""
    ruling = judged(replace(REQUEST, only=frozenset({C}), frees=True), held=frozenset({C}))
    assert (ruling.decisions, ruling.freed) == ((), frozenset({C}))


def test_a_day_that_shares_a_moved_record_is_asked_for_with_the_other() -> None:
    ruling = judged(replace(REQUEST, only=frozenset({A})), links=frozenset({(A, B)}))
    assert (kept_back(ruling), ruling.moving) == ({B: ["not_asked_for"]}, ())


def test_rejects_keep_a_day_back_until_they_are_accepted() -> None:
    ruling = judged(rejects={A: REJECTS})
    assert (kept_back(ruling), ruling.rejecting) == ({A: ["reject_limit_exceeded"]}, {A})
    accepting = replace(REQUEST, only=frozenset({A}), accepts_rejects=True)
    accepted = judged(accepting, rejects={A: REJECTS})
    assert (accepted.moving, accepted.obstacles[A]) == ((A,), [])


def test_nothing_is_let_pass_of_a_day_that_something_else_keeps_back() -> None:
    accepting = replace(REQUEST, only=frozenset({A}), accepts_rejects=True, accepts_drift=True)
    ruling = judged(accepting, rejects={A: REJECTS}, drifts={A: DRIFT}, checked={A: [PENDING], B: []})
    assert (kept_back(ruling), ruling.rejecting) == ({A: [str(PENDING.code)]}, frozenset())
    assert ruling.obstacles[A] == [PENDING, REJECTS, DRIFT]


def test_drift_alone_is_a_persons_to_review() -> None:
    ruling = judged(drifts={A: DRIFT, C: DRIFT})
    assert (kept_back(ruling), ruling.to_review) == ({A: ["drift"]}, {A})
    assert judged(drifts={A: DRIFT}, checked={A: [PENDING], B: []}).to_review == frozenset()
    accepted = judged(replace(REQUEST, only=frozenset({A}), accepts_drift=True), drifts={A: DRIFT})
    assert (accepted.moving, accepted.to_review) == ((A,), frozenset())


def test_an_override_moves_against_the_checks_what_is_known() -> None:
    """Prevents a release of a day of which nothing is known, whatever the reason."""
    asked = replace(OVERRIDE, only=frozenset({A, C}), proved=None)
    ruling = judged(asked, rejects={A: REJECTS}, drifts={A: DRIFT}, checked={A: [PENDING], B: []})
    assert (ruling.moving, kept_back(ruling)) == ((A,), {C: ["unknown_partition"]})
    assert ruling.obstacles[A] == [PENDING, Obstacle(Code.NOT_PROVED)]
