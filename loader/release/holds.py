"""Holds: partitions that stay as readers see them, whatever runs. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from loader.evidence.facts import fetch_rows
from loader.release.store import Act


def lock_holds(cursor: Any) -> set[date]:
    """The partitions that are held; nobody holds or frees one until the transaction ends."""
    cursor.execute("lock table release.partition_hold in share row exclusive mode")
    cursor.execute("select partition_key from release.partition_hold")
    return {day for (day,) in cursor.fetchall()}


def hold(cursor: Any, days: Iterable[date], operator: str, reason: str, trace_id: str | None = None) -> list[int]:
    """Keep each partition as it is shown, whatever runs; one that is held keeps its first reason. Returns the numbers
    of the changes (release.hold_change)."""
    changes = []
    for day in days:
        cursor.execute(
            "insert into release.partition_hold (partition_key, operator, reason) values (%s, %s, %s)"
            " on conflict do nothing",
            (day, operator, reason),
        )
        if cursor.rowcount:
            changes.append(_note_hold(cursor, day, True, operator, reason, trace_id))
    return changes


def read_holds(cursor: Any, days: Iterable[date]) -> Sequence[Mapping[str, Any]]:
    """The holds of these partitions: partition_key, operator, reason, is_known: whether the gate ever judged it."""
    return fetch_rows(
        cursor,
        "select held.partition_key, held.operator, held.reason, gate.partition_key is not null as is_known"
        " from release.partition_hold as held"
        " left join release.partition_gate as gate using (partition_key)"
        " where held.partition_key = any(%s) order by held.partition_key",
        (list(days),),
    )


def free(cursor: Any, days: Iterable[date], act: Act) -> list[int]:
    """End the holds of these partitions; returns the numbers of the changes."""
    changes = []
    for day in days:
        cursor.execute("delete from release.partition_hold where partition_key = %s", (day,))
        changes.append(_note_hold(cursor, day, False, act.operator, act.reason or "released", act.trace_id))
    return changes


def _note_hold(cursor: Any, day: date, is_held: bool, operator: str, reason: str, trace_id: str | None) -> int:
    cursor.execute(
        "insert into release.hold_change (partition_key, is_held, operator, reason, trace_id)"
        " values (%s, %s, %s, %s, %s) returning change_id",
        (day, is_held, operator, reason, trace_id),
    )
    return int(cursor.fetchone()[0])
