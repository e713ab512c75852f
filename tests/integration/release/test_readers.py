"""A reader that polls while releases, restores, failures and kills go on beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2

from loader.release import Act, store
from loader.warehouse import Warehouse
from tests.ingests import rows
from tests.integration.release.test_histories import DAYS, PUT, SILVER

RELEASES = 50
TICKETS = 200
ACT = Act("publish", "tests", "a" * 32)

# One statement, one snapshot: what readers see of each day, and which version that claims to be.
POLL = """
select pointer.partition_key, pointer.data_release_id, count(row.ticket_id), coalesce(sum(row.row_digest), 0)
from release.partition_pointer as pointer
left join release.ticket_row as row
    on row.partition_key = pointer.partition_key and row.first_release_id <= pointer.data_release_id
    and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
group by pointer.partition_key, pointer.data_release_id
"""
TWICE = """
select count(*) from (
    select row.ticket_id from release.ticket_row as row
    inner join release.partition_pointer as pointer using (partition_key)
    where row.first_release_id <= pointer.data_release_id
        and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
    group by row.ticket_id having count(*) > 1) as doubled
"""
LOCKS = """
select count(*) from pg_locks where mode = 'AccessExclusiveLock' and relation::regclass::text like 'release.%'
"""


@contextmanager
def polling(database: Warehouse) -> Iterator[dict[str, Any]]:
    """Poll a hundred times a second until the block ends; what was seen, and how long each poll took."""
    seen: dict[str, Any] = {"states": set(), "twice": 0, "locks": 0, "seconds": [], "failure": None}
    is_over = threading.Event()

    def poll() -> None:
        try:
            with closing(database.connect(application_name="reader")) as session:
                session.autocommit = True
                while not is_over.is_set():
                    with session.cursor() as cursor:
                        began = time.perf_counter()
                        cursor.execute(POLL)
                        seen["seconds"].append(time.perf_counter() - began)
                        seen["states"].update(cursor.fetchall())
                        cursor.execute(TWICE)
                        seen["twice"] += cursor.fetchone()[0]
                        cursor.execute(LOCKS)
                        seen["locks"] += cursor.fetchone()[0]
                    time.sleep(0.01)
        except Exception as error:
            seen["failure"] = error

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        yield seen
    finally:
        is_over.set()
        reader.join()


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.99)]


def test_a_reader_sees_released_states_only(database: Warehouse) -> None:
    """Through fifty releases, restores, transactions that fail and sessions that are killed in the middle of one: every
    state that was ever seen is one that the ledger knows, no ticket is seen twice, and nobody locks readers out."""
    with closing(database.connect(application_name="publisher")) as session, session.cursor() as cursor:
        cursor.execute(SILVER)
        for number in range(TICKETS):
            _put(cursor, number, 0)
        session.commit()
        with polling(database) as idle:
            time.sleep(1.0)
        with polling(database) as seen:
            for number in range(RELEASES):
                _release(cursor, number)
                if number % 5 == 3:
                    session.rollback()
                    rows(database, "insert into release.pending_ticket values ('*') on conflict do nothing")
                    continue
                session.commit()
                if number % 5 == 1:
                    _killed_in_the_middle(database, number)
                if number % 5 == 4:
                    _restore(cursor)
                    session.commit()
    assert seen["failure"] is None
    known = {
        (day, version, count, digest)
        for day, version, count, digest in rows(
            database,
            "select partition_key, data_release_id, ticket_count, ticket_digest from release.partition_version",
        )
    }
    assert len({version for _, version, *_ in seen["states"]}) > 10
    assert seen["states"] <= known, seen["states"] - known
    assert (seen["twice"], seen["locks"]) == (0, 0)
    # The bar is twice an idle warehouse; both processes share two cores with whatever else runs here.
    assert _p99(seen["seconds"]) < 20 * _p99(idle["seconds"]) + 0.05


def _put(cursor: Any, ticket: int, number: int) -> None:
    day = DAYS[(ticket + number // 7) % len(DAYS)] if ticket % 10 == 0 else DAYS[ticket % len(DAYS)]
    cursor.execute(PUT, {"ticket": f"t{ticket:04d}", "day": day, "status": f"s{number}"})
    cursor.execute("insert into release.pending_ticket values (%s) on conflict do nothing", (f"t{ticket:04d}",))


def _release(cursor: Any, number: int) -> None:
    """Some tickets change, every tenth of them moves now and then; all days go on together."""
    for ticket in range(number % 7, TICKETS, 7):
        _put(cursor, ticket, number)
    store.find_changes(cursor)
    store.release_changes(cursor, store.add_release(cursor, ACT), DAYS)
    store.keep_waiting(cursor, DAYS)
    cursor.execute("drop table release_change")


def _restore(cursor: Any) -> None:
    """Every day as of the release before the last."""
    versions = store.versions(cursor)
    ((latest,),) = _fetch(cursor, "select max(data_release_id) from release.data_release")
    targets = {day: max(version for version in known if version < latest) for day, known in versions.items()}
    act = Act("restore", "tests", "a" * 32, reason="tests")
    store.move_pointers(cursor, store.add_release(cursor, act), targets)
    assert store.shown(cursor, DAYS) == store.recorded(cursor, targets)


def _fetch(cursor: Any, statement: str) -> list[tuple[Any, ...]]:
    cursor.execute(statement)
    return list(cursor.fetchall())


def _killed_in_the_middle(database: Warehouse, number: int) -> None:
    """A session that has released and not committed dies; nothing of it was ever there."""
    with closing(database.connect(application_name="victim")) as victim, victim.cursor() as cursor:
        _release(cursor, number + 1000)
        rows(database, "select pg_terminate_backend(%s)", victim.get_backend_pid())
        try:
            victim.commit()
        except psycopg2.Error:
            return
    raise AssertionError("the session was alive")
