"""Random histories of releases, restores and expiries of two kinds at once against a plain model; Silver is tables that
the test writes."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from loader.errors import RefusedError
from loader.partition import Partition
from loader.recovery.restore import refuse_expired
from loader.release import Act, changes, digests, history, holds, released_rows, releases
from loader.release.groups import LinkedError, connected, expirable, restore_targets, version_at
from loader.warehouse import Warehouse
from tests.second_kind import NOTE, add_note

DAYS = [date(2026, 4, day) for day in (14, 15, 16, 17)]
TICKET = "ticket_v1"
PARTITIONS = [Partition(kind, day) for kind in (NOTE, TICKET) for day in DAYS]
# Each kind's table in silver and release, and its key.
NAMES = {TICKET: {"table": "ticket_fact", "key": "ticket_id"}, NOTE: {"table": "visit_note", "key": "note_number"}}
ACT = Act("publish", "tests", "a" * 32)
RESTORE = Act("restore", "tests", "a" * 32, reason="tests")

SILVER = """
set local role omni_transform;
create table silver.{table} as select * from release.{table} with no data;
alter table silver.{table} drop column first_release_id, drop column end_release_id, drop column row_digest;
alter table silver.{table} add primary key ({key});
commit;
"""

# What a kind has no column for is left out.
PUT = """
insert into silver.{table}
select * from jsonb_populate_record(null::silver.{table}, jsonb_build_object(
    '{key}', %(key)s::text, 'partition_key', %(day)s::date, 'status', %(status)s::text,
    'created_at', %(day)s::date, 'written_at', %(day)s::date, 'record_source', 's', 'schema_version', 'v',
    'customer_id', 'c', 'writer_id', 'c',
    'priority', 'p', 'product_line', 'l', 'pii_level', 'none', 'quality_gate', 'pass', 'owner', 'o', 'is_open', true,
    'version_count', 1, 'warning_codes', '[]'::jsonb, 'record_fingerprint', 'f', 'asset_id', 1, 'line_number', 1,
    'event_id', gen_random_uuid(), 'ingest_batch_id', 'b', 'run_id', gen_random_uuid(), 'dlt_load_id', 'l'))
on conflict ({key}) do update set partition_key = excluded.partition_key, status = excluded.status
"""

LOCKS = """
select distinct mode from pg_locks
where pid = pg_backend_pid() and locktype = 'relation' and relation::regclass::text like 'release.%'
"""

READERS = """
select row.{key}, row.partition_key, row.status from release.{table} as row
inner join release.partition_pointer as pointer
    on pointer.record_kind = %(kind)s and pointer.partition_key = row.partition_key
where row.first_release_id <= pointer.data_release_id
    and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
"""

EXPIRY = """
insert into release.expiry (older_than, kept_count, removed_row_count, trace_id, operator, reason, plan_id)
values (%s, 1, %s, repeat('a', 32), 'tests', 'tests', gen_random_uuid()) returning expiry_id
"""

# By kind and key.
Content = dict[tuple[str, str], tuple[date, str]]


def release_what_changed(cursor: Any) -> None:
    """Every partition that differs, all in one release."""
    cursor.connection.commit()
    partitions, _ = changes.find_changes(cursor)
    released_rows.release_changes(cursor, releases.add_release(cursor, ACT), sorted(partitions))
    changes.keep_waiting(cursor, partitions)
    cursor.connection.commit()


class History:
    """The store, and beside it what each version of each partition held."""

    def __init__(self, cursor: Any, seed: int) -> None:
        self.cursor = cursor
        self.random = random.Random(seed)
        # Records leave Silver and may come back elsewhere: damage that an override released.
        self.loses_records = seed % 2 == 1
        self.silver: Content = {}
        self.released: dict[Partition, dict[int, set[tuple[str, str]]]] = {each: {} for each in PARTITIONS}
        self.shown: dict[Partition, set[tuple[str, str]]] = {}
        self.held: set[Partition] = set()
        self.expired: set[tuple[Partition, int]] = set()

    def change_silver(self) -> None:
        """Some records are new, updated, moved to another day, or gone; two kinds have the same keys."""
        for _ in range(self.random.randint(1, 6)):
            kind, key = self.random.choice([NOTE, TICKET, TICKET]), f"t{self.random.randint(1, 12)}"
            day, status = self.random.choice(DAYS), f"s{self.random.randint(1, 9)}"
            self.cursor.execute(
                "insert into release.pending_record values (%s, %s) on conflict do nothing", (kind, key)
            )
            if self.loses_records and self.random.random() < 0.2:
                self.silver.pop((kind, key), None)
                self.cursor.execute("delete from silver.{table} where {key} = %s".format(**NAMES[kind]), (key,))
                continue
            self.silver[kind, key] = (day, status)
            self.cursor.execute(PUT.format(**NAMES[kind]), {"key": key, "day": day, "status": status})

    def publish(self, *, frees: bool) -> None:
        """Every group of changed days of which none is held, or none is held any more."""
        if frees:
            self.held.clear()
            self.cursor.execute("delete from release.partition_hold")
        # What is compared was committed by others.
        self.cursor.connection.commit()
        changed, links = changes.find_changes(self.cursor)
        behind = {each for each in PARTITIONS if self.released[each] and max(self.released[each]) > self._pointer(each)}
        groups = [group for group in connected(changed | behind, links) if not self.held.intersection(group)]
        moving = sorted(partition for group in groups for partition in group)
        if moving:
            release = releases.add_release(self.cursor, ACT)
            released_rows.release_changes(self.cursor, release, moving)
            for partition in moving:
                content = {
                    (key, status)
                    for (kind, key), (where, status) in self.silver.items()
                    if Partition(kind, where) == partition
                }
                self.shown[partition] = content
                if self._is_version(partition, release):
                    self.released[partition][release] = content
        changes.keep_waiting(self.cursor, moving)
        self.cursor.connection.commit()

    def restore(self) -> None:
        """A day that was released goes back to some earlier release, with what it is linked to."""
        known = [partition for partition in PARTITIONS if self.released[partition]]
        if not known:
            return
        partition = self.random.choice(known)
        versions = history.versions(self.cursor)
        wanted = {partition: version_at(versions, partition, self.random.choice(versions[partition]))}
        if wanted[partition] >= self._pointer(partition) or (partition, wanted[partition]) in self.expired:
            return
        targets = restore_targets(versions, releases.pointers(self.cursor), releases.all_links(self.cursor), wanted)
        release = releases.add_release(self.cursor, RESTORE)
        releases.move_pointers(self.cursor, release, targets)
        holds.hold(self.cursor, targets, "tests", "restored")
        assert digests.shown(self.cursor, list(targets)) == history.recorded(self.cursor, targets)
        self.held |= set(targets)
        for one, version in targets.items():
            self.shown[one] = self.released[one].get(version, set())

    def expire(self) -> None:
        """What readers have not seen since some release goes; each version that is left can still be shown, row for
        row, with what it is linked to, and one that is gone is refused."""
        known = history.read_history(self.cursor)
        self.cursor.execute("select array_agg(released_at order by released_at) from release.data_release")
        older_than = self.random.choice(self.cursor.fetchone()[0] or [datetime.now(UTC)])
        gone = expirable(known, older_than=older_than, keep=self.random.choice([1, 1, 2]))
        count = released_rows.unshown_count(self.cursor, gone)
        before = self._row_count()
        self.cursor.execute(EXPIRY, (older_than, count))
        released_rows.expire(self.cursor, gone, self.cursor.fetchone()[0])
        assert self._row_count() == before - count
        self.expired |= set(gone)
        assert history.expired(self.cursor).keys() == self.expired
        assert digests.unlike(self.cursor) == []
        for partition, version in (
            (partition, version) for partition, of_it in known.versions.items() for version in of_it
        ):
            self.cursor.execute("savepoint here")
            self._show(partition, version)
            self.cursor.execute("rollback to savepoint here")

    def _show(self, partition: Partition, version: int) -> None:
        versions, shown = history.versions(self.cursor), releases.pointers(self.cursor)
        try:
            targets = restore_targets(versions, shown, releases.all_links(self.cursor), {partition: version})
        except LinkedError:
            return
        assert {target.record_kind for target in targets} == {partition.record_kind}
        kinds = {NOTE, TICKET}
        if (partition, version) in self.expired:
            with pytest.raises(RefusedError, match=f"{partition.named(kinds)} as of release {version} has expired"):
                refuse_expired(self.cursor, versions, shown, {partition: version}, kinds)
            return
        if self.loses_records and self.expired.intersection(targets.items()):
            # The two came to share a record after one of them had expired.
            with pytest.raises(RefusedError, match="has expired"):
                refuse_expired(self.cursor, versions, shown, targets, kinds)
            return
        assert not self.expired.intersection(targets.items())
        refuse_expired(self.cursor, versions, shown, targets, kinds)
        releases.move_pointers(self.cursor, releases.add_release(self.cursor, RESTORE), targets)
        assert digests.shown(self.cursor, list(targets)) == history.recorded(self.cursor, targets)
        assert self._seen()[partition] == self.released[partition][version]

    def check(self) -> None:
        """Readers see what the model says, and no record twice."""
        seen = self._seen()
        for kind in NAMES:
            keys = [key for each, rows in seen.items() if each.record_kind == kind for key, _ in rows]
            assert len(set(keys)) == len(keys)
        assert seen == {partition: self.shown.get(partition, set()) for partition in PARTITIONS}

    def _seen(self) -> dict[Partition, set[tuple[str, str]]]:
        seen: dict[Partition, set[tuple[str, str]]] = {partition: set() for partition in PARTITIONS}
        for kind, names in NAMES.items():
            self.cursor.execute(READERS.format(**names), {"kind": kind})
            for key, day, status in self.cursor.fetchall():
                seen[Partition(kind, day)].add((key, status))
        return seen

    def _row_count(self) -> int:
        self.cursor.execute(
            "select (select count(*) from release.ticket_fact) + (select count(*) from release.visit_note)"
        )
        return int(self.cursor.fetchone()[0])

    def _pointer(self, partition: Partition) -> int:
        return releases.pointers(self.cursor).get(partition, 0)

    def _is_version(self, partition: Partition, release: int) -> bool:
        return history.versions(self.cursor).get(partition, [0])[-1] == release


@pytest.mark.parametrize("seed", [*range(20), 29, 31])
def test_readers_see_exactly_what_was_released(seed: int, database: Warehouse, tmp_path: Path) -> None:
    """Restore, then release, then restore: each shows the recorded rows; what shares a moved record goes together, and
    neither kind knows of the other."""
    add_note(database, tmp_path)
    with closing(database.connect(application_name="tests")) as session, session.cursor() as cursor:
        for names in NAMES.values():
            cursor.execute(SILVER.format(**names))
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


def test_an_expiry_locks_no_reader_out_and_takes_nothing_from_one_at_work(database: Warehouse, tmp_path: Path) -> None:
    """A reader in the middle of a transaction sees what it saw; one that comes is not kept waiting."""
    add_note(database, tmp_path)
    with (
        closing(database.connect(application_name="tests")) as session,
        closing(database.connect(application_name="reader")) as reader,
        session.cursor() as cursor,
        reader.cursor() as reading,
    ):
        for names in NAMES.values():
            cursor.execute(SILVER.format(**names))
        history = History(cursor, 2)
        for _ in range(10):
            history.change_silver()
            history.publish(frees=False)
        session.commit()
        reader.set_session(isolation_level="REPEATABLE READ", readonly=True)
        reading.execute("select count(*) from release.ticket_fact")
        before = reading.fetchone()
        history.expire()
        cursor.execute(LOCKS)
        assert {mode for (mode,) in cursor.fetchall()} <= {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}
        session.commit()
        reading.execute("select count(*) from release.ticket_fact")
        assert (reading.fetchone(), history.expired != set()) == (before, True)


def test_a_first_release_keeps_the_rows_of_its_own_days_only(database: Warehouse) -> None:
    """Prevents a day that is kept back from having rows, since a first release takes Silver's rows whole."""
    with closing(database.connect(application_name="tests")) as session, session.cursor() as cursor:
        cursor.execute(SILVER.format(**NAMES[TICKET]))
        for key, day in (("1", DAYS[0]), ("2", DAYS[1]), ("3", DAYS[1])):
            cursor.execute(PUT.format(**NAMES[TICKET]), {"key": key, "day": day, "status": "open"})
        session.commit()
        changes.find_changes(cursor)
        first = [Partition(TICKET, DAYS[0])]
        released_rows.release_changes(cursor, releases.add_release(cursor, ACT), first)
        changes.keep_waiting(cursor, first)
        session.commit()
        cursor.execute("select ticket_id from release.ticket_fact")
        assert cursor.fetchall() == [("1",)]
        release_what_changed(cursor)
        cursor.execute("select partition_key, record_count from release.partition_version order by 1")
        assert cursor.fetchall() == [(DAYS[0], 1), (DAYS[1], 2)]
        assert digests.unlike(cursor, is_content_read=True) == []
