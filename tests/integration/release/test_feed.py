"""serving.change: what changes for readers, in the order in which it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest

from loader.cli import main
from loader.erasure import erase, plan_erasure
from loader.ingest import Verdict
from loader.progress import Silent
from loader.recovery import apply_plan
from loader.release import Act, ReleaseRequest, follow, release, releases
from loader.warehouse import Role, Warehouse
from tests.ingests import declare, rows, run, settings, ticket_days, write_export
from tests.integration.release.test_release import MONDAY, TUESDAY, A, B, C, two_days
from tests.recoveries import of_day, planned
from tests.states import State, States

pytestmark = pytest.mark.usefixtures("replayed")

# Which version of its day a row is shown with is no content of it.
SEEN = "select ticket_id, to_jsonb(fact) - 'data_release_id' from serving.ticket_fact as fact"
A1, A2, B1, C1 = (f"TKT-{day.replace('-', '')}-{number:06d}" for day, number in ((A, 1), (A, 2), (B, 1), (C, 1)))


@pytest.fixture
def first(states: States) -> Iterator[State[Verdict]]:
    with states.begin(two_days) as state:
        yield state


@pytest.fixture
def database(first: State[Verdict]) -> Warehouse:
    return first.database


class Follower:
    """As docs/serving.md says it, as a reader: entries a few at a time, then the rows of the newest of each record."""

    def __init__(self, database: Warehouse) -> None:
        self.reader = database.acting_as(Role.READER)
        self.number = 0
        self.held: dict[str, Any] = {}

    def read_on(self, piece: int = 2) -> list[tuple[Any, ...]]:
        """What came since, and afterwards it holds what readers see."""
        told: list[tuple[Any, ...]] = []
        with closing(self.reader.connect(application_name="follower")) as session, session.cursor() as cursor:
            while entries := self._piece(cursor, piece):
                for key in {key for _, key, *_ in entries}:
                    cursor.execute(f"{SEEN} where ticket_id = %s", (key,))
                    self.held.pop(key, None)
                    self.held |= dict(cursor.fetchall())
                self.number = entries[-1][0]
                told += [entry[1:] for entry in entries]
            cursor.execute(SEEN)
            assert self.held == dict(cursor.fetchall())
        return told

    def _piece(self, cursor: Any, piece: int) -> list[tuple[Any, ...]]:
        cursor.execute(
            "select change_number, record_key, operation, data_release_id from serving.change"
            " where change_number > %s and record_kind = 'ticket_v1' order by change_number limit %s",
            (self.number, piece),
        )
        return list(cursor.fetchall())


def deliver(folder: Path, name: str, *records: Mapping[str, Any]) -> None:
    write_export(folder / name / f"tickets-{C}.jsonl", records)
    verdict = run(declare(folder / name, name))
    assert verdict.exit_code == 0, verdict.problems


def test_each_act_tells_what_it_changes_and_nothing_else(database: Warehouse, tmp_path: Path) -> None:
    """Prevents a consumer that misses a restore, a moved record or an erasure, and one that is told of rows that are as
    they were."""
    follower, late = Follower(database), Follower(database)
    assert follower.read_on() == [(A1, "insert", 1), (A2, "insert", 1), (B1, "insert", 1)]
    update = of_day(A, 1, status="closed", updated_at=f"{C}T09:00:00Z")
    moved = {**of_day(A, 2, updated_at=f"{C}T09:00:00Z"), "created_at": f"{B}T08:00:00Z"}
    deliver(tmp_path, "second", update, moved, of_day(C, 1))
    assert follower.read_on() == [(A1, "update", 2), (A2, "update", 2), (C1, "insert", 2)]

    window = {"window_start": A, "window_end": B, "release": None, "as_of": None, "reason": "tests"}
    apply_plan(settings(), planned("restore", **window))
    assert follower.read_on(1) == [(A1, "update", 3), (A2, "update", 3)]
    # Held: what is proved waits, and changes nothing for readers.
    deliver(tmp_path, "third", of_day(A, 1, status="pending", updated_at=f"{C}T10:00:00Z"))
    assert follower.read_on() == []
    # From what the restore showed to what was proved since: once.
    last = release(settings(), ReleaseRequest([MONDAY, TUESDAY]), Silent()).data_release_id
    assert follower.read_on() == [(A1, "update", last), (A2, "update", last)]

    plan = plan_erasure(settings(), "customer_1", "asked for")
    erase(settings(), "customer_1", plan.as_record(settings()), Silent())
    assert follower.read_on() == [(key, "erased", None) for key in (A1, B1, C1)]
    # Nothing of the person is left in what was told before; the other's is as it was.
    assert late.read_on(3) == [
        (A1, "erased", None), (A2, "insert", 1), (B1, "erased", None), (A1, "erased", None), (A2, "update", 2),
        (C1, "erased", None), (A1, "erased", None), (A2, "update", 3), (A1, "erased", None), (A2, "update", last),
        (A1, "erased", None), (B1, "erased", None), (C1, "erased", None),
    ]  # fmt: skip
    assert rows(
        database, "select count(*) from release.change where operation = 'erased' and row_digest is not null"
    ) == [(0,)]


def test_who_writes_it_waits_for_who_wrote_and_no_reader_waits(database: Warehouse) -> None:
    """Prevents a number that appears below one that was read: taken first, committed last."""
    act = Act("restore", "tests", "a" * 32, reason="tests")
    loader = database.acting_as(Role.LOADER)
    with (
        closing(loader.connect(application_name="one")) as one,
        closing(loader.connect(application_name="other")) as other,
        closing(database.acting_as(Role.READER).connect(application_name="reader")) as reader,
        one.cursor() as first,
        other.cursor() as second,
        reader.cursor() as reading,
    ):
        releases.move_pointers(first, releases.add_release(first, act), dict.fromkeys(ticket_days(MONDAY), 0))
        release = releases.add_release(second, act)
        second.execute("set local lock_timeout = '200ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            releases.move_pointers(second, release, dict.fromkeys(ticket_days(TUESDAY), 0))
        reading.execute("set statement_timeout = '1s'; select max(change_number) from serving.change")
        assert reading.fetchone() == (3,)
        one.commit()
        other.rollback()
        releases.move_pointers(second, releases.add_release(second, act), dict.fromkeys(ticket_days(TUESDAY), 0))
        other.commit()
        told = follow(second, 3, 9).changes
        assert [(each.change_number, each.record_key) for each in told] == [(4, A1), (5, A2), (6, B1)]


@pytest.mark.parametrize(
    "statement",
    [
        "update release.change set operation = 'delete', row_digest = null",
        "delete from release.change",
        "truncate release.change",
        "set local omni.maintenance = 'erasure'; delete from release.change",
        "set local omni.maintenance = 'repair'; update release.change set row_digest = 1",
    ],
)
def test_it_takes_no_change_but_an_erasures(database: Warehouse, statement: str) -> None:
    with pytest.raises(psycopg2.errors.RaiseException, match=r"on release\.change refused: it is append-only"):
        rows(database.acting_as(Role.LOADER), statement)


def test_what_an_act_wrote_goes_with_it_where_it_does_not_commit(database: Warehouse) -> None:
    """Prevents a consumer that is told of a release that a crash, or a check at its end, took back."""
    with (
        closing(database.acting_as(Role.LOADER).connect(application_name="tests")) as session,
        session.cursor() as cursor,
    ):
        act = Act("restore", "tests", "a" * 32, reason="tests")
        releases.move_pointers(cursor, releases.add_release(cursor, act), dict.fromkeys(ticket_days(MONDAY), 0))
        assert follow(cursor, None, 1).newest == 5
        session.rollback()
        assert follow(cursor, None, 1).newest == 3


def test_a_program_without_sql_follows_and_is_told_when_the_warehouse_is_not_the_one_it_followed(
    database: Warehouse, capfd: pytest.CaptureFixture[str]
) -> None:
    """Prevents a copy by the command that is other than what readers see, and one that goes on from a number which a
    database that was put back has not given yet."""

    def answer(*words: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) as ended:
            main(["changes", "--json", *words])
        assert ended.value.code == 0
        return dict(orjson.loads(capfd.readouterr().out))

    held, number, is_more = {}, 0, True
    while is_more:
        told = answer("--rows", "--limit", "2", "--after", str(number))
        held |= {(each["record_kind"], each["record_key"]): each["row"] for each in told["changes"]}
        number, is_more = told["last"], told["is_more"]
    assert number == 3
    seen = rows(database, "select ticket_id, to_jsonb(fact) from serving.ticket_fact as fact")
    assert held == {("ticket_v1", key): row for key, row in seen}
    assert answer("--after", "3")["changes"] == []
    # A kind of which nothing came goes on from the newest of all.
    assert [answer("--after", "0", "--kind", "call_v1")[name] for name in ("changes", "last", "is_more")] == [
        [],
        3,
        False,
    ]
    (digest,) = rows(database, "select row_digest::text from release.ticket_fact where ticket_id = %s", B1)[0]
    assert answer("--limit", "1") | {"timeline_id": ""} == {
        "changes": [
            {
                "change_number": 3, "record_kind": "ticket_v1", "record_key": B1, "operation": "insert",
                "data_release_id": 1, "row_digest": digest,
            }
        ],
        "last": 3, "is_more": False, "timeline_id": "", "next_command": "make status",
    }  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        main(["changes", "--after", "4"])
    assert ended.value.code == 2
    assert "got 4, but the newest change is 3" in capfd.readouterr().err
