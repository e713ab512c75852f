"""Holds: partitions that stay as readers see them, whatever runs. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from loader.partition import Partition, side_by_side
from loader.release.releases import PARTITIONS, Act
from loader.warehouse import fetch_rows


def lock_holds(cursor: Any) -> set[Partition]:
    """The partitions that are held; nobody holds or frees one until the transaction ends."""
    cursor.execute("lock table release.partition_hold in share row exclusive mode")
    cursor.execute("select record_kind, partition_key from release.partition_hold")
    return {Partition(*row) for row in cursor.fetchall()}


def hold(
    cursor: Any, partitions: Iterable[Partition], operator: str, reason: str, trace_id: str | None = None
) -> list[int]:
    """Keep each partition as it is shown, whatever runs; one that is held keeps its first reason. Returns the numbers
    of the changes (release.hold_change)."""
    changes = []
    for partition in partitions:
        cursor.execute(
            "insert into release.partition_hold (record_kind, partition_key, operator, reason) values (%s, %s, %s, %s)"
            " on conflict do nothing",
            (*partition, operator, reason),
        )
        if cursor.rowcount:
            changes.append(_note_hold(cursor, partition, True, operator, reason, trace_id))
    return changes


def read_holds(cursor: Any, partitions: Iterable[Partition]) -> Sequence[Mapping[str, Any]]:
    """The holds of these partitions: record_kind, partition_key, operator, reason, is_known: whether the gate ever
    judged it."""
    return fetch_rows(
        cursor,
        "select record_kind, partition_key, held.operator, held.reason, gate.is_pending is not null as is_known"
        " from release.partition_hold as held"
        " left join release.partition_gate as gate using (record_kind, partition_key)"
        f" where (record_kind, partition_key) in (select * from {PARTITIONS}) order by record_kind, partition_key",
        side_by_side(partitions),
    )


def free(cursor: Any, partitions: Iterable[Partition], act: Act) -> list[int]:
    """End the holds of these partitions; returns the numbers of the changes."""
    changes = []
    for partition in partitions:
        cursor.execute(
            "delete from release.partition_hold where record_kind = %s and partition_key = %s", tuple(partition)
        )
        changes.append(_note_hold(cursor, partition, False, act.operator, act.reason or "released", act.trace_id))
    return changes


def _note_hold(
    cursor: Any, partition: Partition, is_held: bool, operator: str, reason: str, trace_id: str | None
) -> int:
    cursor.execute(
        "insert into release.hold_change (record_kind, partition_key, is_held, operator, reason, trace_id)"
        " values (%s, %s, %s, %s, %s, %s) returning change_id",
        (*partition, is_held, operator, reason, trace_id),
    )
    return int(cursor.fetchone()[0])
