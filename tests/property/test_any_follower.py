"""Whoever follows what changes for readers holds what they see: from any point, in any pieces, after any time away."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from loader.audit.told import faults_of_told
from loader.erasure.from_releases import remove_from_releases
from loader.partition import Partition
from loader.release import Act, changes, follow, history, holds, released_rows, releases
from loader.release.groups import connected, expirable, restore_targets, version_at
from loader.warehouse import ReleasedKind, Warehouse, released_kinds
from tests.second_kind import NOTE, add_note

DAYS = [date(2026, 4, day) for day in (15, 16, 17)]
TICKET = "ticket_v1"
PEOPLE = ("customer_a", "customer_b")
ACT = Act("publish", "tests", "a" * 32)
RESTORE = Act("restore", "tests", "a" * 32, reason="tests")

MAKE_SILVER = """
set local role omni_transform;
create table {silver} as select * from {rows} with no data;
alter table {silver} drop column first_release_id, drop column end_release_id, drop column row_digest;
alter table {silver} add primary key ({key});
"""

# What a kind has no column for is left out.
PUT = """
insert into {silver}
select * from jsonb_populate_record(null::{silver}, jsonb_build_object(
    '{key}', %(key)s::text, 'partition_key', %(day)s::date, 'status', %(status)s::text, 'customer_id', %(person)s::text,
    'writer_id', %(person)s::text))
on conflict ({key}) do update
set partition_key = excluded.partition_key, status = excluded.status, {person} = excluded.{person}
"""

READ = """
select {key}, partition_key, status, {person}, {digest} from {rows} as row
where exists (
    select from release.partition_pointer as pointer
    where pointer.record_kind = %(kind)s and pointer.partition_key = row.partition_key
        and row.first_release_id <= pointer.data_release_id
        and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
) and (%(keys)s::text[] is null or {key} = any(%(keys)s))
"""

ERASURE = """
set local omni.maintenance = 'erasure';
create temporary table erased_event (record_kind text, record_key text, event_id uuid) on commit drop;
insert into ops.erasure (erasure_id, customer_hash, operator, reason, trace_id, removed)
values (gen_random_uuid(), sha256('x'), 'tests', 'tests', repeat('a', 32), '{}') returning erasure_id::text
"""

EXPIRY = """
insert into release.expiry (older_than, kept_count, removed_row_count, trace_id, operator, reason, plan_id)
values (now(), 1, 0, repeat('a', 32), 'tests', 'tests', gen_random_uuid()) returning expiry_id
"""

EMPTY = """
set local session_replication_role = replica;
truncate release.data_release, release.partition_version, release.partition_pointer, release.pointer_move,
    release.partition_link, release.partition_hold, release.hold_change, release.partition_gate,
    release.pending_record, release.change, release.expiry, release.ticket_fact, release.visit_note,
    silver.ticket_fact, silver.visit_note, ops.erased_version, ops.erasure cascade
"""

# By kind and key: day, status, person, digest.
Content = dict[tuple[str, str], tuple[Any, ...]]


@dataclass
class Follower:
    """Reads at most `piece` rows of the feed at a time. `fetched`: rows as they were when it fetched them; `told`:
    digests of the feed alone."""

    piece: int
    number: int = 0
    fetched: Content = field(default_factory=dict)
    told: dict[tuple[str, str], Any] = field(default_factory=dict)

    def read(self, store: Store) -> bool:
        """Whether anything was there."""
        entries = follow(store.cursor, self.number, self.piece).changes
        newest = {(entry.record_kind, entry.record_key): entry for entry in entries}
        for record, entry in newest.items():
            self.told.pop(record, None)
            if entry.row_digest is not None:
                self.told[record] = entry.row_digest
        seen = store.seen(newest)
        for record in newest:
            self.fetched.pop(record, None)
            if record in seen:
                self.fetched[record] = seen[record]
        self.number = entries[-1].change_number if entries else self.number
        return bool(entries)


class Store:
    """Silver and releases of two kinds, without dbt."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        self.kinds = {kind.record_kind: kind for kind in released_kinds(cursor) if kind.record_kind in (NOTE, TICKET)}
        # Every version of each record that was not erased: person, day, status.
        self.versions: dict[tuple[str, str], list[tuple[str, date, str]]] = defaultdict(list)

    def names(self, kind: ReleasedKind) -> dict[str, str]:
        return {
            "rows": kind.rows,
            "silver": kind.silver,
            "key": kind.key_column,
            "person": str(kind.person_column),
            "digest": kind.row_digest(self.cursor, "row"),
        }

    def seen(self, records: Any = None) -> Content:
        """What readers see, of these records or of all."""
        found: Content = {}
        for kind in self.kinds.values():
            keys = None if records is None else [key for name, key in records if name == kind.record_kind]
            self.cursor.execute(READ.format(**self.names(kind)), {"kind": kind.record_kind, "keys": keys})
            found |= {(kind.record_kind, key): tuple(rest) for key, *rest in self.cursor.fetchall()}
        return found

    def change(self, records: list[tuple[str, int, int, int, int]]) -> None:
        """Records come, are updated, move to another day, or go to another person."""
        for kind, key, day, status, person in records:
            record = (kind, f"t{key}")
            self.versions[record].append((PEOPLE[person], DAYS[day], f"s{status}"))
            self._put(record)
        self.publish()

    def _put(self, record: tuple[str, str]) -> None:
        kind, key = self.kinds[record[0]], record[1]
        self.cursor.execute("insert into release.pending_record values (%s, %s) on conflict do nothing", record)
        if not self.versions[record]:
            self.cursor.execute(f"delete from {kind.silver} where {kind.key_column} = %s", (key,))
            return
        person, day, status = self.versions[record][-1]
        told = {"key": key, "day": day, "status": status, "person": person}
        self.cursor.execute(PUT.format(**self.names(kind)), told)

    def free(self) -> None:
        self.cursor.execute("delete from release.partition_hold")
        self.publish()

    def publish(self) -> None:
        """Every group of changed days of which none is held."""
        self.cursor.connection.commit()
        changed, links = changes.find_changes(self.cursor)
        shown, newest = releases.pointers(self.cursor), history.newest_versions(self.cursor)
        behind = {each for each, version in newest.items() if shown.get(each, 0) != version}
        held = holds.lock_holds(self.cursor)
        groups = [group for group in connected(changed | behind, links) if not held.intersection(group)]
        moving = sorted(partition for group in groups for partition in group)
        if moving:
            released_rows.release_changes(self.cursor, releases.add_release(self.cursor, ACT), moving)
        changes.keep_waiting(self.cursor, moving)

    def hold(self, day: int) -> None:
        holds.hold(self.cursor, [Partition(kind, DAYS[day]) for kind in self.kinds], "tests", "tests", "a" * 32)

    def restore(self, kind: str, day: int, back: int) -> None:
        partition = Partition(kind, DAYS[day])
        versions, shown = history.versions(self.cursor), releases.pointers(self.cursor)
        expired = history.expired(self.cursor)
        if partition not in shown:
            return
        wanted = {partition: version_at(versions, partition, shown[partition] - back)}
        targets = restore_targets(versions, shown, releases.all_links(self.cursor), wanted)
        if wanted[partition] == 0 or any(target in expired for target in targets.items()):
            return
        releases.move_pointers(self.cursor, releases.add_release(self.cursor, RESTORE), targets)
        holds.hold(self.cursor, targets, "tests", "restored", "a" * 32)

    def expire(self) -> None:
        gone = expirable(history.read_history(self.cursor), older_than=datetime.now(UTC), keep=1)
        self.cursor.execute(EXPIRY)
        released_rows.expire(self.cursor, gone, self.cursor.fetchone()[0])

    def erase(self, person: int) -> None:
        """In one transaction; what others said of a record is left in Silver, and is released after it."""
        self.cursor.execute(ERASURE)
        (erasure,) = self.cursor.fetchone()
        theirs = [record for record, told in self.versions.items() if PEOPLE[person] in {whose for whose, *_ in told}]
        self.cursor.executemany("insert into pg_temp.erased_event values (%s, %s)", theirs)
        for kind in self.kinds.values():
            remove_from_releases(self.cursor, kind, {"person": PEOPLE[person], "erasure": erasure})
        for record in theirs:
            self.versions[record] = [told for told in self.versions[record] if told[0] != PEOPLE[person]]
        self.cursor.connection.commit()
        for record in theirs:
            self._put(record)

    def holds_nobody_erased(self, person: int) -> None:
        """What was told of anybody is a digest of a row that is there, or has expired with its version."""
        digests = "union all ".join(f"select row_digest from {kind.rows} " for kind in self.kinds.values())
        self.cursor.execute(
            "select count(*) from release.change where row_digest is not null and record_key = any(%s)"
            f" and not exists (select from release.expiry) and row_digest not in ({digests})",
            ([key for (_, key) in self.versions],),
        )
        assert self.cursor.fetchone() == (0,)
        assert all(whose != PEOPLE[person] for _, _, whose, _ in self.seen().values())


_RECORDS = st.tuples(
    st.sampled_from([TICKET, TICKET, NOTE]), st.integers(1, 5), st.integers(0, 2), st.integers(1, 3), st.integers(0, 1)
)
_ACTS = st.one_of(
    st.tuples(st.just("change"), st.lists(_RECORDS, min_size=1, max_size=5)),
    st.tuples(st.just("change"), st.lists(_RECORDS, min_size=1, max_size=5)),
    st.tuples(st.just("restore"), st.sampled_from([TICKET, NOTE]), st.integers(0, 2), st.integers(1, 3)),
    st.tuples(st.just("hold"), st.integers(0, 2)),
    st.tuples(st.just("free")),
    st.tuples(st.just("expire")),
    st.tuples(st.just("erase"), st.integers(0, 1)),
)
# An act, and how many pieces each follower reads after it.
_STEPS = st.lists(st.tuples(_ACTS, st.lists(st.integers(0, 3), min_size=6, max_size=6)), min_size=3, max_size=14)


# A ticket goes from one person to another, and back by a restore; then the first is erased.
_TO_ANOTHER = [
    (("change", [(TICKET, 1, 0, 1, 0), (NOTE, 1, 0, 1, 0)]), [1] * 6),
    (("change", [(TICKET, 1, 0, 2, 1)]), [0] * 6),
    (("restore", TICKET, 0, 1), [1] * 6),
    (("free",), [0] * 6),
    (("erase", 0), [3] * 6),
]


@hypothesis_settings(
    max_examples=int(os.environ.get("FOLLOWED_HISTORIES", "25")),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=_STEPS)
@example(steps=_TO_ANOTHER)
def test_a_follower_holds_what_readers_see(
    steps: list[tuple[tuple[Any, ...], list[int]]], database: Warehouse, tmp_path: Path
) -> None:
    """Prevents an index, a cache or a copy that keeps what readers see no more, or misses what they see: after a
    release, a restore, the end of a hold, an expiry or an erasure, whenever it reads on, and wherever it began."""
    with closing(database.connect(application_name="tests")) as session, session.cursor() as cursor:
        store = _empty(database, cursor, tmp_path)
        followers = [Follower(1), Follower(3), Follower(1000)]
        for (act, *arguments), pieces in steps:
            getattr(store, act)(*arguments)
            session.commit()
            if act == "erase":
                store.holds_nobody_erased(*arguments)
            for follower, count in zip(followers, pieces, strict=False):
                # It reads until nothing is there, or for a while.
                if not all(follower.read(store) for _ in range(count)):
                    _is_like_readers(follower, store)
            # One that begins with a copy of what readers see now.
            newest = follow(cursor, None, 1).newest
            seen = store.seen()
            told = {record: digest for record, (*_, digest) in seen.items()}
            followers.append(Follower(2, newest, dict(seen), told))
            del followers[6:]
            session.commit()
            assert [*faults_of_told(cursor)] == []
        for follower in [*followers, Follower(7)]:
            while follower.read(store):
                pass
            _is_like_readers(follower, store)


def _empty(database: Warehouse, cursor: Any, folder: Path) -> Store:
    """As it was made, whatever a history before this one left."""
    cursor.execute("select to_regclass('silver.visit_note') is null")
    if cursor.fetchone()[0]:
        add_note(database, folder)
        store = Store(cursor)
        for kind in store.kinds.values():
            cursor.execute(MAKE_SILVER.format(**store.names(kind)))
        cursor.execute("reset role")
    cursor.execute(EMPTY)
    cursor.connection.commit()
    return Store(cursor)


def _is_like_readers(follower: Follower, store: Store) -> None:
    seen = store.seen()
    assert follower.fetched == seen
    assert follower.told == {record: digest for record, (*_, digest) in seen.items()}
