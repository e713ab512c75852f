"""Which versions are compared: of two releases, of what readers see and what waits, of what they see and what a plan
would show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.config import Settings
from loader.diff.changes import Changes, Sides, read_changes
from loader.errors import CommandUsageError, RefusedError
from loader.kinds import load_kinds
from loader.partition import Partition
from loader.release import history, refuse_unknown_kind, releases
from loader.warehouse import ReleasedKind, Warehouse, are_built, built, released_kinds

_EVERYTHING = "*"
_WAITS = """
select record_key from release.pending_record where record_kind = %(kind)s
union
select row_key from ops.unproved_change where table_name = %(silver)s
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """`old`, `new`: releases; without `new`: what readers see now; without either: what they see, and what waits for
    them. `days`: those only."""

    old: int | None = None
    new: int | None = None
    days: Sequence[date] | None = None
    record_kind: str | None = None


def diff(settings: Settings, warehouse: Warehouse, asked: Asked) -> list[Changes]:
    """The differences of each kind that has released rows, over one snapshot. Writes nothing.

    Raises CommandUsageError for a kind or a release that is none, RefusedError where rows of a version have expired.
    """
    with _snapshot(warehouse) as cursor:
        kinds = released_kinds(cursor)
        if asked.record_kind is not None:
            refuse_unknown_kind([kind.record_kind for kind in kinds], asked.record_kind)
        old, new = _versions(cursor, asked)
        found = []
        for kind in kinds:
            if asked.record_kind in (None, kind.record_kind):
                sides = _of_versions(cursor, kind, old, new, asked.days)
                if sides is not None:
                    found.append(_read(settings, cursor, kind, sides))
        return found


def foretell(settings: Settings, warehouse: Warehouse, days: Sequence[date], record_kind: str | None) -> list[Changes]:
    """What a release of these days would change for readers, as Silver stands."""
    return diff(settings, warehouse, Asked(days=days, record_kind=record_kind))


def foretell_pointers(
    settings: Settings, warehouse: Warehouse, pointers: Mapping[Partition, tuple[int, int]]
) -> list[Changes]:
    """What readers will see where the pointers move from one version to another."""
    with _snapshot(warehouse) as cursor:
        found = []
        for kind in released_kinds(cursor):
            shown = {each.day: moved for each, moved in pointers.items() if each.record_kind == kind.record_kind}
            if shown:
                found.append(_read(settings, cursor, kind, Sides(shown, [*shown])))
        return found


@contextmanager
def _snapshot(warehouse: Warehouse) -> Iterator[Any]:
    with closing(warehouse.connect(application_name="omnisupport-diff")) as session:
        session.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with session, session.cursor() as cursor:
            yield cursor


def _versions(cursor: Any, asked: Asked) -> tuple[Mapping[Partition, int], Mapping[Partition, int] | None]:
    """What each day shows on either side; None: what waits."""
    shown = releases.pointers(cursor)
    if asked.old is None:
        return shown, None
    cursor.execute("select coalesce(max(data_release_id), 0) from release.data_release")
    (newest,) = cursor.fetchone()
    for release in (asked.old, asked.new):
        if release is not None and not 0 <= release <= newest:
            raise CommandUsageError(
                f"release: got {release}, expected 0 (before the first) to {newest}; nothing was compared",
                next_command="make diff   # what readers see, and what waits",
            )
    new = shown if asked.new is None else history.shown_after(cursor, asked.new)
    return history.shown_after(cursor, asked.old), new


def _of_versions(
    cursor: Any,
    kind: ReleasedKind,
    old: Mapping[Partition, int],
    new: Mapping[Partition, int] | None,
    days: Sequence[date] | None,
) -> Sides | None:
    """None: of this kind nothing was released, and nothing waits."""
    of_kind = {each.day for each in (*old, *(new or ())) if each.record_kind == kind.record_kind}
    shown = {day: (old.get(Partition(kind.record_kind, day), 0), 0) for day in sorted(of_kind)}
    if new is not None:
        told = {day: (before, new.get(Partition(kind.record_kind, day), 0)) for day, (before, _) in shown.items()}
        _refuse_expired(cursor, kind, told)
        apart = [day for day, (before, after) in told.items() if before != after]
        return Sides(told, apart, days=days) if told else None
    if not are_built(cursor, kind.silver):
        return None
    cursor.execute(_WAITS, {"kind": kind.record_kind, "silver": kind.silver})
    waits = [key for (key,) in cursor.fetchall()]
    is_everything = _EVERYTHING in waits or not shown
    newest = {
        each.day: last for each, last in history.newest_versions(cursor).items() if each.record_kind == kind.record_kind
    }
    apart = [day for day, last in newest.items() if old.get(Partition(kind.record_kind, day), 0) != last]
    return Sides(shown, apart, is_waiting=True, waits=None if is_everything else waits, days=days)


def _refuse_expired(cursor: Any, kind: ReleasedKind, shown: Mapping[date, tuple[int, int]]) -> None:
    gone = history.expired(cursor)
    for day, versions in shown.items():
        for version in versions:
            if versions[0] != versions[1] and (Partition(kind.record_kind, day), version) in gone:
                raise RefusedError(
                    f"{day} of {kind.record_kind} as of release {version} has expired: its rows are gone; nothing was"
                    " compared",
                    next_command="make diff   # what readers see, and what waits",
                )


def _read(settings: Settings, cursor: Any, kind: ReleasedKind, sides: Sides) -> Changes:
    declared = load_kinds(settings.project_root / "contracts").get(kind.record_kind)
    counted = {
        Partition(kind.record_kind, day): old
        for day, (old, _) in sides.shown.items()
        if sides.days is None or day in sides.days
    }
    count = sum(records for records, _ in history.recorded(cursor, counted).values())
    with built(cursor) as there:
        # Sorts and hashes in memory; a plan that ends in seconds is not worth compiling.
        there.execute("select set_config('work_mem', '256MB', false), set_config('jit', 'off', false)")
        return read_changes(cursor, there, kind, None if declared is None else declared.landing, sides, count)
