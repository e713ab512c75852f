"""What readers see of each partition, beside what is proved of it; and what lets it move where it waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

from loader.advice.questions import NOTED, Advice, AdviceKind, Asked, first_of
from loader.obstacles import OF_DAY, Code, Obstacle
from loader.partition import Partition, variables_of
from loader.printable import counted, some
from loader.release import known_kinds
from loader.warehouse import are_built, built, fetch_rows

# What a person decides, first what comes first.
_DECIDED = {
    Code.COLLIDED: AdviceKind.SETTLE,
    Code.TOO_MANY_REJECTS: AdviceKind.ACCEPT_REJECTS,
    Code.DRIFT: AdviceKind.ACCEPT_DRIFT,
}

# A day that nobody has asked for yet is nothing that readers wait for.
_SHOWN = f"""
select status.record_kind, status.partition_key, status.data_release_id, status.released_at, status.is_held,
    status.is_ready, status.reason, status.obstacles
from serving.kind_partition_status as status
left join reconcile.reconcile_partition as part
    on part.record_kind = status.record_kind and part.partition_key = status.partition_key
where (%(day)s::date is null or status.partition_key = %(day)s)
    and (%(kind)s::text is null or status.record_kind = %(kind)s)
    and (status.data_release_id is not null or status.is_held
        or not coalesce(part.obstacles @> '[{{"code": "{Code.UNASKED}"}}]', false))
order by status.record_kind, status.partition_key
"""

_OBSTACLES = "select record_kind, partition_key, obstacles from release.partition_gate"


def read_shown(cursor: Any, partition: date | None, record_kind: str | None) -> Sequence[Mapping[str, Any]]:
    """Each partition that was released or waits for it, or those asked for; none before the first release."""
    if not are_built(cursor, "serving.kind_partition_status", "reconcile.reconcile_partition"):
        return []
    return fetch_rows(built(cursor), _SHOWN, {"day": partition, "kind": record_kind})


def look_at_readers(asked: Asked) -> tuple[str, Advice | None]:
    """A held day is somebody's decision; any other that is not shown as it is proved waits for one, or for a mend."""
    faults = asked.view_faults
    if faults:
        show = Advice(AdviceKind.SHOW, faults[0].next_command, "puts what readers look through right")
        return some([fault.sentence for fault in faults]), show
    found = read_shown(asked.world.cursor, asked.partition, asked.record_kind)
    kinds = known_kinds(asked.world.cursor)
    ready = [row for row in found if row["is_ready"]]
    held = [row for row in found if row["is_held"]]
    waiting = [row for row in found if not row["is_ready"] and not row["is_held"]]
    words = [f"{len(ready)} of {counted(len(found), 'day')} as proved"]
    for name, rows in (("held", held), ("not yet", waiting)):
        if rows:
            words.append(f"{name}: {some([_why(row, kinds) for row in rows])}")
    cursor = asked.world.cursor
    cursor.execute(_OBSTACLES)
    obstacles = {Partition(kind, day): [each["code"] for each in found] for kind, day, found in cursor.fetchall()}
    advice = let_pass(obstacles, [_partition(row) for row in waiting], kinds)
    if advice is None and asked.partition is not None and held and not held[0]["is_ready"]:
        advice = Advice(AdviceKind.FREE, f"make release {variables_of([_partition(held[0])], kinds)}")
    if advice is None and waiting:
        advice = NOTED
    return "; ".join(words), advice


def let_pass(
    obstacles: Mapping[Partition, Sequence[str]], waiting: Sequence[Partition], kinds: Collection[str]
) -> Advice | None:
    """What lets these days move: those that nothing keeps back any more in one command, the first day of which a person
    decides; None where none waits. `obstacles`: codes of what the gate said of each when it looked last; `kinds`: those
    that the warehouse knows."""
    found: dict[AdviceKind, list[Partition]] = {}
    for partition in waiting:
        kind = _kind_of(obstacles.get(partition, ()))
        if kind is not None:
            found.setdefault(kind, []).append(partition)
    return first_of(_advice(kind, days, kinds) for kind, days in found.items()) if found else None


def _kind_of(obstacles: Sequence[str]) -> AdviceKind | None:
    """None: the day itself is not whole, which other questions ask about."""
    if Code.COLLIDED not in obstacles and OF_DAY.intersection(obstacles):
        return None
    return next((kind for code, kind in _DECIDED.items() if code in obstacles), AdviceKind.RELEASE)


def _advice(kind: AdviceKind, partitions: Sequence[Partition], kinds: Collection[str]) -> Advice:
    for code, decided in _DECIDED.items():
        if kind is decided:
            return decide(code, partitions[:1], kinds)
    command = f"make release {variables_of(partitions, kinds)}" if len(partitions) == 1 else "make build"
    return Advice(kind, command, "shows what is proved and waits")


def decide(code: Code, partitions: Sequence[Partition], kinds: Collection[str]) -> Advice:
    """What a person decides about an obstacle of days that move together."""
    return Advice(_DECIDED[code], Obstacle(code).next_command(partitions, kinds))


def _partition(row: Mapping[str, Any]) -> Partition:
    return Partition(row["record_kind"], row["partition_key"])


def _why(row: Mapping[str, Any], kinds: Collection[str]) -> str:
    name = _partition(row).named(kinds)
    return f"{name} ({row['reason']})" if row["reason"] else name
