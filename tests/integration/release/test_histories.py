"""Random histories of releases, restores and expiries against a plain model; Silver is a table that the test writes."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, date, datetime
from typing import Any

import pytest

from loader.errors import RefusedError
from loader.recovery.restore import refuse_expired
from loader.release import Act, changes, holds, store
from loader.release.gate import connected
from loader.release.retention import expirable
from loader.release.targets import LinkedError, restore_targets, version_at
from loader.warehouse import Warehouse

DAYS = [date(2026, 4, day) for day in (14, 15, 16, 17)]
ACT = Act("publish", "tests", "a" * 32)
RESTORE = Act("restore", "tests", "a" * 32, reason="tests")

SILVER = """
set local role omni_transform;
create table silver.ticket_fact as select * from release.ticket_row with no data;
alter table silver.ticket_fact drop column first_release_id, drop column end_release_id, drop column row_digest;
alter table silver.ticket_fact add primary key (ticket_id);
commit;
"""

PUT = """
insert into silver.ticket_fact
select * from jsonb_populate_record(null::silver.ticket_fact, jsonb_build_object(
    'ticket_id', %(ticket)s::text, 'partition_key', %(day)s::date, 'status', %(status)s::text,
    'created_at', %(day)s::date, 'record_source', 's', 'schema_version', 'ticket_v1', 'customer_id', 'c',
    'priority', 'p', 'product_line', 'l', 'pii_level', 'none', 'quality_gate', 'pass', 'owner', 'o', 'is_open', true,
    'version_count', 1, 'warning_codes', '[]'::jsonb, 'record_fingerprint', 'f', 'asset_id', 1, 'line_number', 1,
    'event_id', gen_random_uuid(), 'ingest_batch_id', 'b', 'run_id', gen_random_uuid(), 'dlt_load_id', 'l'))
on conflict (ticket_id) do update set partition_key = excluded.partition_key, status = excluded.status
"""

LOCKS = """
select distinct mode from pg_locks
where pid = pg_backend_pid() and locktype = 'relation' and relation::regclass::text like 'release.%'
"""

READERS = """
select row.ticket_id, row.partition_key, row.status from release.ticket_row as row
inner join release.partition_pointer as pointer using (partition_key)
where row.first_release_id <= pointer.data_release_id
    and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
"""

EXPIRY = """
insert into release.expiry (older_than, kept_count, removed_row_count, trace_id, operator, reason, plan_id)
values (%s, 1, %s, repeat('a', 32), 'tests', 'tests', gen_random_uuid()) returning expiry_id
"""

Content = dict[str, tuple[date, str]]


class History:
    """The store, and beside it what each version of each partition held."""

    def __init__(self, cursor: Any, seed: int) -> None:
        self.cursor = cursor
        self.random = random.Random(seed)
        # Tickets leave Silver and may come back elsewhere: damage that an override released.
        self.loses_tickets = seed % 2 == 1
        self.silver: Content = {}
        self.released: dict[date, dict[int, set[tuple[str, str]]]] = {day: {} for day in DAYS}
        self.shown: dict[date, set[tuple[str, str]]] = {}
        self.held: set[date] = set()
        self.expired: set[tuple[date, int]] = set()

    def change_silver(self) -> None:
        """Some tickets are new, updated, moved to another day, or gone."""
        for _ in range(self.random.randint(1, 6)):
            ticket = f"t{self.random.randint(1, 12)}"
            day, status = self.random.choice(DAYS), f"s{self.random.randint(1, 9)}"
            self.cursor.execute("insert into release.pending_ticket values (%s) on conflict do nothing", (ticket,))
            if self.loses_tickets and self.random.random() < 0.2:
                self.silver.pop(ticket, None)
                self.cursor.execute("delete from silver.ticket_fact where ticket_id = %s", (ticket,))
                continue
            self.silver[ticket] = (day, status)
            self.cursor.execute(PUT, {"ticket": ticket, "day": day, "status": status})

    def publish(self, *, frees: bool) -> None:
        """Every group of changed days of which none is held, or none is held any more."""
        if frees:
            self.held.clear()
            self.cursor.execute("delete from release.partition_hold")
        # What is compared was committed by others.
        self.cursor.connection.commit()
        days, links = changes.find_changes(self.cursor)
        behind = {day for day in DAYS if self.released[day] and max(self.released[day]) > self._pointer(day)}
        groups = [group for group in connected(days | behind, links) if not self.held.intersection(group)]
        moving = sorted(day for group in groups for day in group)
        if moving:
            release = store.add_release(self.cursor, ACT)
            changes.release_changes(self.cursor, release, moving)
            for day in moving:
                content = {(ticket, status) for ticket, (where, status) in self.silver.items() if where == day}
                self.shown[day] = content
                if self._is_version(day, release):
                    self.released[day][release] = content
        changes.keep_waiting(self.cursor, moving)
        self.cursor.connection.commit()

    def restore(self) -> None:
        """A day that was released goes back to some earlier release, with what it is linked to."""
        known = [day for day in DAYS if self.released[day]]
        if not known:
            return
        day = self.random.choice(known)
        versions = store.versions(self.cursor)
        wanted = {day: version_at(versions, day, self.random.choice(versions[day]))}
        if wanted[day] >= self._pointer(day) or (day, wanted[day]) in self.expired:
            return
        targets = restore_targets(versions, store.pointers(self.cursor), store.all_links(self.cursor), wanted)
        release = store.add_release(self.cursor, RESTORE)
        store.move_pointers(self.cursor, release, targets)
        holds.hold(self.cursor, targets, "tests", "restored")
        assert store.shown(self.cursor, list(targets)) == store.recorded(self.cursor, targets)
        self.held |= set(targets)
        for one, version in targets.items():
            self.shown[one] = self.released[one].get(version, set())

    def expire(self) -> None:
        """What readers have not seen since some release goes; each version that is left can still be shown, row for
        row, with what it is linked to, and one that is gone is refused."""
        versions, links = store.versions(self.cursor), store.all_links(self.cursor)
        self.cursor.execute("select array_agg(released_at order by released_at) from release.data_release")
        older_than = self.random.choice(self.cursor.fetchone()[0] or [datetime.now(UTC)])
        gone = expirable(
            versions,
            store.expired(self.cursor).keys(),
            store.pointers(self.cursor),
            links,
            store.left_at(self.cursor),
            older_than=older_than,
            keep=self.random.choice([1, 1, 2]),
        )
        count = store.unshown_count(self.cursor, gone)
        self.cursor.execute("select count(*) from release.ticket_row")
        (before,) = self.cursor.fetchone()
        self.cursor.execute(EXPIRY, (older_than, count))
        store.expire(self.cursor, gone, self.cursor.fetchone()[0])
        self.cursor.execute("select count(*) from release.ticket_row")
        assert self.cursor.fetchone()[0] == before - count
        self.expired |= set(gone)
        assert store.expired(self.cursor).keys() == self.expired
        assert store.unlike(self.cursor) == []
        for day, version in ((day, version) for day, known in versions.items() for version in known):
            self.cursor.execute("savepoint here")
            self._show(day, version)
            self.cursor.execute("rollback to savepoint here")

    def _show(self, day: date, version: int) -> None:
        versions, shown = store.versions(self.cursor), store.pointers(self.cursor)
        try:
            targets = restore_targets(versions, shown, store.all_links(self.cursor), {day: version})
        except LinkedError:
            return
        if (day, version) in self.expired:
            with pytest.raises(RefusedError, match=f"{day} as of release {version} has expired"):
                refuse_expired(self.cursor, versions, shown, {day: version})
            return
        if self.loses_tickets and self.expired.intersection(targets.items()):
            # The two came to share a ticket after one of them had expired.
            with pytest.raises(RefusedError, match="has expired"):
                refuse_expired(self.cursor, versions, shown, targets)
            return
        assert not self.expired.intersection(targets.items())
        refuse_expired(self.cursor, versions, shown, targets)
        store.move_pointers(self.cursor, store.add_release(self.cursor, RESTORE), targets)
        assert store.shown(self.cursor, list(targets)) == store.recorded(self.cursor, targets)
        self.cursor.execute(READERS)
        seen = {(ticket, status) for ticket, where, status in self.cursor.fetchall() if where == day}
        assert seen == self.released[day][version]

    def check(self) -> None:
        """Readers see what the model says, and no ticket twice."""
        self.cursor.execute(READERS)
        seen = self.cursor.fetchall()
        assert len({ticket for ticket, *_ in seen}) == len(seen)
        by_day = {day: {(ticket, status) for ticket, where, status in seen if where == day} for day in DAYS}
        assert by_day == {day: self.shown.get(day, set()) for day in DAYS}

    def _pointer(self, day: date) -> int:
        return store.pointers(self.cursor).get(day, 0)

    def _is_version(self, day: date, release: int) -> bool:
        return store.versions(self.cursor).get(day, [0])[-1] == release


@pytest.mark.parametrize("seed", [*range(20), 29, 31])
def test_readers_see_exactly_what_was_released(seed: int, database: Warehouse) -> None:
    """Restore, then release, then restore: each shows the recorded rows; what shares a moved ticket goes together."""
    with closing(database.connect(application_name="tests")) as session, session.cursor() as cursor:
        cursor.execute(SILVER)
        history = History(cursor, seed)
        for _ in range(30):
            step = history.random.random()
            if step < 0.6:
                history.change_silver()
                history.publish(frees=False)
            elif step < 0.8:
                history.restore()
            elif step < 0.9:
                history.expire()
            else:
                history.publish(frees=True)
            history.check()
        cursor.execute("select count(*) from release.data_release")
        assert cursor.fetchone()[0] > 3


def test_an_expiry_locks_no_reader_out_and_takes_nothing_from_one_at_work(database: Warehouse) -> None:
    """A reader in the middle of a transaction sees what it saw; one that comes is not kept waiting."""
    with (
        closing(database.connect(application_name="tests")) as session,
        closing(database.connect(application_name="reader")) as reader,
        session.cursor() as cursor,
        reader.cursor() as reading,
    ):
        cursor.execute(SILVER)
        history = History(cursor, 2)
        for _ in range(10):
            history.change_silver()
            history.publish(frees=False)
        session.commit()
        reader.set_session(isolation_level="REPEATABLE READ", readonly=True)
        reading.execute("select count(*) from release.ticket_row")
        before = reading.fetchone()
        history.expire()
        cursor.execute(LOCKS)
        assert {mode for (mode,) in cursor.fetchall()} <= {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}
        session.commit()
        reading.execute("select count(*) from release.ticket_row")
        assert (reading.fetchone(), history.expired != set()) == (before, True)
