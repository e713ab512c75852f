"""What changed for readers, as whoever follows it reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from loader.errors import CommandUsageError
from loader.evidence import journal
from loader.release import feed
from loader.release.by_hand import refuse_unknown_kind
from loader.warehouse import Role, Warehouse, released_kinds


@dataclass(frozen=True, slots=True)
class Change:
    """What changed for readers of a record. `data_release_id` None: by an erasure; `row_digest` None: they see no row
    of it since."""

    change_number: int
    record_kind: str
    record_key: str
    operation: str
    data_release_id: int | None
    row_digest: Decimal | None

    def as_record(self) -> dict[str, Any]:
        """JSON-ready values; the digest as text, for it has more digits than a number of JSON is sure to keep."""
        digest = None if self.row_digest is None else str(self.row_digest)
        return {**asdict(self), "row_digest": digest}


@dataclass(frozen=True, slots=True)
class Followed:
    """`newest`: the number of the newest change of any kind. `timeline_id`: another one says that the warehouse was put
    back to an earlier state since, and may have given numbers again."""

    changes: tuple[Change, ...]
    newest: int
    is_more: bool
    timeline_id: str

    @property
    def last(self) -> int:
        """Where to go on: everything up to it is in what was read."""
        return self.changes[-1].change_number if self.is_more else self.newest


def follow(cursor: Any, after: int | None, limit: int, record_kind: str | None = None) -> Followed:
    """The first `limit` changes after a number, or without one the newest, oldest first, of a kind or of all; `cursor`
    is in one snapshot.

    Raises CommandUsageError for a kind that is none, and where the number is none that was given: the warehouse is not
    the one that it is of, or was put back to an earlier state.
    """
    if record_kind is not None:
        refuse_unknown_kind([kind.record_kind for kind in released_kinds(cursor)], record_kind)
    cursor.execute(feed.NEWEST)
    (newest,) = cursor.fetchone()
    if after is not None and after > newest:
        raise CommandUsageError(
            f"--after: got {after}, but the newest change is {newest}: the warehouse was put back to an earlier state,"
            " or it is another one; what was copied has to be copied anew",
            next_command="make changes AFTER=0",
        )
    of_kind = "" if record_kind is None else " and record_kind = %(kind)s"
    cursor.execute(
        "select change_number, record_kind, record_key, operation, data_release_id, row_digest from release.change"
        f" where change_number > %(after)s{of_kind}"
        f" order by change_number {'desc' if after is None else 'asc'} limit %(limit)s",
        {"after": after or 0, "limit": limit + 1, "kind": record_kind},
    )
    found = [Change(*row) for row in cursor.fetchall()]
    kept = found[:limit] if after is not None else found[:limit][::-1]
    is_more = len(found) > limit and after is not None
    return Followed(tuple(kept), newest, is_more, journal.read_timelines(cursor)[-1])


def shown_rows(warehouse: Warehouse, changes: Iterable[Change]) -> dict[tuple[str, str], str]:
    """What readers see now of the records of these changes, by kind and key, as JSON; nothing where they see
    none. As a reader. To be asked after the changes were read: a row that is newer than they say has a later change.
    """
    wanted: dict[str, set[str]] = defaultdict(set)
    for change in changes:
        wanted[change.record_kind].add(change.record_key)
    found: dict[tuple[str, str], str] = {}
    with closing(warehouse.connect(application_name="omnisupport-changes")) as session, session.cursor() as cursor:
        kinds = [kind for kind in released_kinds(cursor) if kind.record_kind in wanted]
    reader = warehouse.acting_as(Role.READER)
    with closing(reader.connect(application_name="omnisupport-changes")) as session, session.cursor() as cursor:
        for kind in kinds:
            cursor.execute(
                f"select {kind.key_column}, to_jsonb(fact)::text from {kind.served} as fact"
                f" where {kind.key_column} = any(%s)",
                (sorted(wanted[kind.record_kind]),),
            )
            found |= {(kind.record_kind, key): row for key, row in cursor.fetchall()}
    return found
