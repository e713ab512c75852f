"""What is advised, decided from facts: the order of kinds, damage by what it is in, and what lets a day move."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import pytest

from loader.advice import NOTHING_TO_DO, Advice, AdviceKind, after_build, after_kept_back, after_run, ends
from loader.advice.damage import Damaged, mend
from loader.advice.questions import first_of
from loader.advice.readers import let_pass
from loader.errors import InfrastructureError
from loader.obstacles import Code, Obstacle
from loader.partition import Partition
from loader.release.by_hand import KeptBackError
from loader.release.groups import Decision, KeptBack
from loader.release.publish import Published

ONE, OTHER = date(2026, 4, 17), date(2026, 4, 18)
RUN = "01a20487-27bf-7d6f-88b2-ba02718ad2c7"
LAND = Advice(AdviceKind.LAND, f"make retry RUN={RUN} MODE=execute", "lands its rows again, from the archive")
RESTORE = Advice(AdviceKind.RESTORE, "make verify EVIDENCE=1")
WHOLE = Advice(AdviceKind.REBUILD, "make build FULL_REFRESH=1", "all of Silver, from Bronze")
OF_DAY = Advice(AdviceKind.REBUILD, f"make build PARTITION={ONE}", "Silver's rows of the day, from Bronze")

MISSING = Damaged("silver.ticket_fact", "record_missing", (ONE,))
EVENT = Damaged("bronze.record_event", "event_missing", (ONE,))
INDEX = Damaged("ops.asset_index", "asset_index_missing", (None,))
LEDGER = Damaged("ops.manifest", "manifest_missing", (None,))
LISTING = Damaged("ops.ingest_run", "load_not_listed", (None,))
EQUATION = Damaged("reconcile.reconcile_partition", "partition_unexplained", (ONE, OTHER))
PROVE = Advice(AdviceKind.PROVE, "make build", "proves everything, and names table and asset")
COLLIDED = Damaged("bronze.record_event", "key_collision", (OTHER, ONE))


def test_what_explains_comes_before_damage_and_damage_before_absence() -> None:
    """Prevents a backfill of days that nobody asked for while a row is missing (issue 13)."""
    order = [
        AdviceKind.WAIT,
        AdviceKind.RECALL,
        AdviceKind.SHOW,
        AdviceKind.ERASE,
        AdviceKind.RETRY,
        AdviceKind.LAND,
        AdviceKind.REBUILD,
        AdviceKind.RESTORE,
        AdviceKind.CHECK,
        AdviceKind.PROVE,
        AdviceKind.TAKE,
        AdviceKind.DELIVER,
        AdviceKind.REREAD,
        AdviceKind.RELEASE,
        AdviceKind.SETTLE,
        AdviceKind.ACCEPT_DRIFT,
        AdviceKind.ACCEPT_REJECTS,
        AdviceKind.FREE,
        AdviceKind.CLOCK,
        AdviceKind.LOOK,
    ]
    assert list(AdviceKind) == order
    every = [Advice(kind, str(kind)) for kind in reversed(order)]
    while len(every) > 1:
        assert first_of(every) == every.pop()
    assert first_of([]) == NOTHING_TO_DO
    # Among those of one kind, the one that was said first.
    assert first_of([Advice(AdviceKind.TAKE, "a"), Advice(AdviceKind.TAKE, "b")]).command == "a"


def test_a_line_can_be_pasted_whole() -> None:
    """The words behind the command are a comment to a shell; for a person they are its sentence, and no other."""
    assert Advice(AdviceKind.TAKE, "make ingest", "reads it").line == "make ingest   # reads it"
    assert Advice(AdviceKind.LOOK, "make status").line == "make status"
    told = Advice(AdviceKind.FREE, "make release PARTITION=2026-04-17", "other words")
    assert told.line == "make release PARTITION=2026-04-17   # a person holds it, and lets it move again"


@pytest.mark.parametrize(
    ("found", "run_id", "expected"),
    [
        pytest.param((), None, None, id="nothing"),
        pytest.param((MISSING,), None, OF_DAY, id="a row of one day of Silver"),
        pytest.param((MISSING, Damaged("silver.ticket_fact", "record_doubled", (OTHER,))), None, WHOLE, id="two days"),
        pytest.param((Damaged("silver.ticket_fact", "record_missing", (None,)),), None, WHOLE, id="a day nobody knows"),
        pytest.param(
            (Damaged("silver.customer_dim", "customer_differs_from_bronze", (ONE,)),), None, WHOLE, id="people"
        ),
        pytest.param((Damaged("silver.built_load", "load_not_built", (None,)),), None, WHOLE, id="Silver's ledger"),
        pytest.param((EVENT, MISSING), RUN, LAND, id="Bronze before what follows it"),
        pytest.param((INDEX, LEDGER), RUN, LAND, id="Bronze before what seems wrong for it"),
        pytest.param((EVENT, MISSING), None, RESTORE, id="Bronze that cannot be landed again"),
        pytest.param((LEDGER,), RUN, RESTORE, id="the ledger"),
        pytest.param((LISTING,), RUN, LAND, id="the list of a run's loads"),
        pytest.param((LEDGER, MISSING), None, RESTORE, id="the ledger before what Silver copies from it"),
        pytest.param(
            (COLLIDED,), None, Advice(AdviceKind.SETTLE, f"make status PARTITION={ONE}"), id="two sources, one id"
        ),
        pytest.param((EQUATION, MISSING), None, OF_DAY, id="what an equation follows from"),
        pytest.param((EQUATION,), None, PROVE, id="an equation alone"),
        pytest.param((COLLIDED, MISSING), None, OF_DAY, id="damage before what sources settle"),
    ],
)
def test_damage_is_mended_where_it_is(found: Sequence[Damaged], run_id: str | None, expected: Advice | None) -> None:
    assert mend(found, run_id) == expected


DRIFT, REJECTS, UNPROVED = Code.DRIFT, Code.TOO_MANY_REJECTS, Code.NOT_PROVED


@pytest.mark.parametrize(
    ("obstacles", "kind", "command"),
    [
        ({}, AdviceKind.RELEASE, "make build"),
        ({ONE: [UNPROVED], OTHER: []}, AdviceKind.RELEASE, "make build"),
        ({ONE: [DRIFT], OTHER: []}, AdviceKind.RELEASE, f"make release PARTITION={OTHER}"),
        (
            {ONE: [DRIFT], OTHER: [REJECTS]},
            AdviceKind.ACCEPT_DRIFT,
            f"make release PARTITION={ONE} ACCEPT_DRIFT=1 REASON='<why>'",
        ),
        (
            {ONE: [REJECTS, DRIFT], OTHER: [Code.WITHHELD]},
            AdviceKind.ACCEPT_REJECTS,
            f"make release PARTITION={ONE} ACCEPT_REJECTS=1 REASON='<why>'",
        ),
        (
            {ONE: [DRIFT], OTHER: [Code.COLLIDED, Code.FINDING]},
            AdviceKind.SETTLE,
            f"make status PARTITION={OTHER}",
        ),
    ],
)
def test_what_lets_days_move(obstacles: dict[date, list[Code]], kind: AdviceKind, command: str) -> None:
    """Those that nothing keeps back any more move by one command, however many they are."""
    told = let_pass({_of(day): codes for day, codes in obstacles.items()}, [_of(ONE), _of(OTHER)], {"ticket_v1"})
    assert told is not None
    assert (told.kind, told.command) == (kind, command)


@pytest.mark.parametrize(
    ("published", "kind", "told"),
    [
        ({"to_review": {ONE, OTHER}}, AdviceKind.ACCEPT_DRIFT, "make release {days} ACCEPT_DRIFT=1 REASON='<why>'"),
        (
            {"rejecting": {ONE, OTHER}},
            AdviceKind.ACCEPT_REJECTS,
            "make release {days} ACCEPT_REJECTS=1 REASON='<why>'",
        ),
        (
            {"to_review": {ONE}, "rejecting": {OTHER}},
            AdviceKind.LOOK,
            "make diagnose   # or, against the checks: make release {days} OVERRIDE=1 REASON='<why>'",
        ),
    ],
)
def test_days_that_move_together_are_let_pass_together(
    published: dict[str, set[date]], kind: AdviceKind, told: str
) -> None:
    """Prevents a release that is refused once more, since the other day was not asked for."""
    partitions = tuple(Partition("ticket_v1", day) for day in (ONE, OTHER))
    decision = Decision(partitions, (KeptBack(partitions[0], Obstacle(DRIFT, names=("null_rate org_id",))),))
    groups = {name: frozenset(Partition("ticket_v1", day) for day in days) for name, days in published.items()}
    for kinds, of_kind in ({"ticket_v1"}, ""), ({"note_v1", "ticket_v1"}, " KIND=ticket_v1"):
        known = Published(None, (decision,), **groups, kinds=frozenset(kinds))
        advice = after_kept_back(KeptBackError(decision, known))
        days = f"PARTITION={ONE},{OTHER}{of_kind}"
        assert (advice.kind, advice.line.startswith(told.format(days=days))) == (kind, True)


def test_a_day_that_is_not_whole_is_asked_about_elsewhere() -> None:
    """A release of it would be refused, and say the same again."""
    obstacles = {_of(ONE): [Code.NOT_TAKEN], _of(OTHER): [Code.MISSING, UNPROVED]}
    assert let_pass(obstacles, [*obstacles], {"ticket_v1"}) is None
    assert let_pass({}, [], set()) is None


def test_a_day_of_one_kind_of_several_is_let_pass_by_a_command_that_names_it() -> None:
    told = let_pass({_of(ONE): [DRIFT]}, [_of(ONE)], {"note_v1", "ticket_v1"})
    assert told is not None
    assert told.command == f"make release PARTITION={ONE} KIND=ticket_v1 ACCEPT_DRIFT=1 REASON='<why>'"


def _of(day: date) -> Partition:
    return Partition("ticket_v1", day)


def _verdict(
    exit_code: int, decision: str, *, days: int = 1, failed: Sequence[str] = (), codes: Sequence[str] = ()
) -> Any:
    window = {"window_start": ONE, "window_end": date.fromordinal(ONE.toordinal() + days)}
    return SimpleNamespace(
        exit_code=exit_code,
        downstream_decision=decision,
        facts=SimpleNamespace(run=window, drifts=()),
        problems=[SimpleNamespace(reason_code="dbt_check_failed", name=name) for name in failed],
        problem_codes=frozenset(codes),
    )


STATUS = Advice(AdviceKind.LOOK, "make status")
HELD = Advice(AdviceKind.FREE, f"make release PARTITION={ONE}")
ERASE = Advice(AdviceKind.ERASE, "make erase PERSON='<the same person>' REASON=asked MODE=execute")
CHECK = Advice(AdviceKind.CHECK, "make build SELECT=a_test")
MISTYPED = Advice(AdviceKind.LOOK, "make status", "the days that there are lines of")


@pytest.mark.parametrize(
    ("verdict", "first", "expected"),
    [
        (_verdict(0, "proceed"), LAND, Advice(AdviceKind.LOOK, f"make ready PARTITION={ONE}", "may readers go on?")),
        (_verdict(0, "proceed", days=2), LAND, STATUS),
        (_verdict(0, "hold_downstream"), NOTHING_TO_DO, STATUS),
        (_verdict(0, "hold_downstream"), HELD, HELD),
        (_verdict(1, "hold_downstream"), LAND, LAND),
        (_verdict(1, "hold_downstream", failed=["a_test"]), LAND, LAND),
        (_verdict(1, "hold_downstream", failed=["a_test"]), PROVE, CHECK),
        (_verdict(1, "hold_downstream", codes=["no_lines_for_partition"]), NOTHING_TO_DO, MISTYPED),
        (_verdict(1, "hold_downstream", codes=["no_lines_for_partition"]), LAND, LAND),
        (_verdict(1, "hold_downstream", codes=["no_lines_for_partition", "asset_missing"]), NOTHING_TO_DO, STATUS),
    ],
)
def test_what_comes_after_a_run(verdict: Any, first: Advice, expected: Advice, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clean run asks nothing; one that failed is told what comes first of all, and never to fail the same way."""
    monkeypatch.setattr(ends, "open_warehouse", lambda settings: None)
    monkeypatch.setattr(ends, "advise", lambda settings, warehouse, day: first)
    assert after_run(cast(Any, None), verdict) == expected


@pytest.mark.parametrize(
    ("holds_all", "expected"), [(True, Advice(AdviceKind.CHECK, "make build SELECT=a_model")), (False, ERASE)]
)
def test_an_erasure_waits_for_what_holds_its_build_too(
    holds_all: bool, expected: Advice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prevents an erasure that says `diagnose`, which says the same erasure; over findings of days it goes on."""
    monkeypatch.setattr(ends, "advise", lambda settings, warehouse, day: ERASE)
    assert after_build(cast(Any, None), cast(Any, object()), ["a_model"], holds_all=holds_all) == expected


def test_a_warehouse_that_is_gone_takes_nothing_from_what_a_run_has_to_say(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict of a run would not be printed, and its exit code would be that of the server."""

    def gone(*asked: object) -> Advice:
        raise InfrastructureError("no server", next_command="pg_isready -h db   # is it there?")

    monkeypatch.setattr(ends, "open_warehouse", lambda settings: None)
    monkeypatch.setattr(ends, "advise", gone)
    told = after_run(cast(Any, None), _verdict(1, "hold_downstream"))
    assert told.line == "pg_isready -h db   # is it there?"
