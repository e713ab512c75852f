"""A reader that polls while releases, restores, failures and kills go on beside it."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import psycopg2

from loader.partition import Partition
from loader.release import Act, changes, digests, history, released_rows, releases
from loader.warehouse import Warehouse
from tests.ingests import rows
from tests.integration.release.reader import Seen, busy, polling
from tests.integration.release.test_histories import DAYS, NAMES, PUT, SILVER, TICKET

RELEASES = 50
TICKETS = 200
TICKETS_OF = NAMES[TICKET]
PARTITIONS = [Partition(TICKET, day) for day in DAYS]
ACT = Act("publish", "tests", "a" * 32)

# One statement, one snapshot: what readers see of each day, and which version that claims to be.
POLL = """
select pointer.partition_key, pointer.data_release_id, count(row.ticket_id), coalesce(sum(row.row_digest), 0)
from release.partition_pointer as pointer
left join release.ticket_fact as row
    on row.partition_key = pointer.partition_key and row.first_release_id <= pointer.data_release_id
    and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
group by pointer.partition_key, pointer.data_release_id
"""
TWICE = """
select count(*) from (
    select row.ticket_id from release.ticket_fact as row
    inner join release.partition_pointer as pointer using (partition_key)
    where row.first_release_id <= pointer.data_release_id
        and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
    group by row.ticket_id having count(*) > 1) as doubled
"""
LOCKS = """
select count(*) from pg_locks where mode = 'AccessExclusiveLock' and relation::regclass::text like 'release.%'
"""


STATEMENTS = {"POLL": POLL, "TWICE": TWICE, "LOCKS": LOCKS}


def test_a_reader_sees_released_states_only(database: Warehouse) -> None:
    """Through fifty releases, restores, transactions that fail and sessions that are killed in the middle of one: every
    state that was ever seen is one that the ledger knows, no ticket is seen twice, and nobody locks readers out."""
    with closing(database.connect(application_name="publisher")) as session, session.cursor() as cursor:
        cursor.execute(SILVER.format(**TICKETS_OF))
        for number in range(TICKETS):
            _put(cursor, number, 0)
        session.commit()
        with polling(database, STATEMENTS) as idle, busy(1):
            time.sleep(3)
        with polling(database, STATEMENTS) as seen:
            for number in range(RELEASES):
                _release(cursor, number)
                if number % 5 == 3:
                    session.rollback()
                    rows(
                        database, "insert into release.pending_record values ('ticket_v1', '*') on conflict do nothing"
                    )
                    continue
                session.commit()
                if number % 5 == 1:
                    _killed_in_the_middle(database, number)
                if number % 5 == 4:
                    _restore(cursor)
                    session.commit()
    _assert_released(database, seen)
    assert len({version for _, version, *_ in seen.states}) > 10
    # The long test has the bar, under the pipeline's own load.
    print(f"\nidle, one processor busy: {idle.told}\nreleases: {seen.told}")
    assert seen.p99 < 5 * idle.p99 + 0.02, (idle.told, seen.told)


def _assert_released(database: Warehouse, seen: Seen) -> None:
    """Every state that was ever seen is one that the ledger knows."""
    known = rows(
        database,
        "select partition_key, data_release_id, record_count, record_digest from release.partition_version"
        " union all select distinct partition_key, 0, 0, 0 from release.partition_version",
    )
    strange = seen.states - {tuple(map(str, row)) for row in known}
    assert strange == set()
    assert (seen.twice, seen.locks) == (0, 0)


def _put(cursor: Any, ticket: int, number: int) -> None:
    day = DAYS[(ticket + number // 7) % len(DAYS)] if ticket % 10 == 0 else DAYS[ticket % len(DAYS)]
    cursor.execute(PUT.format(**TICKETS_OF), {"key": f"t{ticket:04d}", "day": day, "status": f"s{number}"})
    cursor.execute(
        "insert into release.pending_record values ('ticket_v1', %s) on conflict do nothing", (f"t{ticket:04d}",)
    )


def _release(cursor: Any, number: int) -> None:
    """Some tickets change, every tenth of them moves now and then; all days go on together."""
    for ticket in range(number % 7, TICKETS, 7):
        _put(cursor, ticket, number)
    # Silver is dbt's, and read as it is committed.
    cursor.connection.commit()
    changes.find_changes(cursor)
    released_rows.release_changes(cursor, releases.add_release(cursor, ACT), PARTITIONS)
    changes.keep_waiting(cursor, PARTITIONS)
    cursor.execute("drop table release_change")


def _restore(cursor: Any) -> None:
    """Every day as of the release before the last."""
    versions = history.versions(cursor)
    ((latest,),) = _fetch(cursor, "select max(data_release_id) from release.data_release")
    targets = {each: max(version for version in known if version < latest) for each, known in versions.items()}
    act = Act("restore", "tests", "a" * 32, reason="tests")
    releases.move_pointers(cursor, releases.add_release(cursor, act), targets)
    assert digests.shown(cursor, PARTITIONS) == history.recorded(cursor, targets)


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
