"""What readers see of each partition, beside what is proved of it; and what lets it move where it waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from loader.advice.asked import Asked, some
from loader.advice.kinds import NOTED, Advice, AdviceKind, first_of
from loader.evidence.facts import fetch_rows
from loader.printable import counted
from loader.release.lacks import COLLIDED, LACKS
from loader.release.publish import DRIFT, REJECTS
from loader.warehouse.built import are_built, built
from loader.warehouse.kinds import reconciled_kind

_ACCEPTED_BY = {AdviceKind.ACCEPT_DRIFT: "--accept-drift", AdviceKind.ACCEPT_REJECTS: "--accept-rejects"}

# A day that nobody has asked for yet, its lines indexed and none of them taken, is nothing that readers wait for.
_SHOWN = """
select status.partition_key, status.data_release_id, status.released_at, status.is_held, status.is_ready, status.reason
from serving.partition_status as status
left join reconcile.reconcile_partition as part on part.partition_key = status.partition_key
where (%(day)s::date is null or status.partition_key = %(day)s)
    and (status.data_release_id is not null or status.is_held
        or not coalesce(part.landed_count = 0 and part.out_of_partition_count > 0, false))
order by status.partition_key
"""

_OBSTACLES = """
select partition_key, obstacles from release.partition_gate where record_kind = %s and partition_key = any(%s)
"""


def read_shown(cursor: Any, partition: date | None) -> Sequence[Mapping[str, Any]]:
    """Each partition that was released or waits for it, or the one asked for; none before the first release."""
    if not are_built(cursor, "serving.partition_status", "reconcile.reconcile_partition"):
        return []
    return fetch_rows(built(cursor), _SHOWN, {"day": partition})


def look_at_readers(asked: Asked) -> tuple[str, Advice | None]:
    """A held day is somebody's decision; any other that is not shown as it is proved waits for one, or for a mend."""
    faults = asked.view_faults
    if faults:
        show = Advice(AdviceKind.SHOW, faults[0].next_command, "puts what readers look through right")
        return some([fault.sentence for fault in faults]), show
    found = read_shown(asked.world.cursor, asked.partition)
    ready = [row for row in found if row["is_ready"]]
    held = [row for row in found if row["is_held"]]
    waiting = [row for row in found if not row["is_ready"] and not row["is_held"]]
    words = [f"{len(ready)} of {counted(len(found), 'day')} as proved"]
    for name, rows in (("held", held), ("not yet", waiting)):
        if rows:
            words.append(f"{name}: {some([_why(row) for row in rows])}")
    cursor = asked.world.cursor
    cursor.execute(_OBSTACLES, (reconciled_kind(cursor), [row["partition_key"] for row in waiting]))
    advice = let_pass(dict(cursor.fetchall()), [row["partition_key"] for row in waiting])
    if advice is None and asked.partition is not None and held and not held[0]["is_ready"]:
        advice = Advice(AdviceKind.FREE, f"loader release --partition {asked.partition}")
    if advice is None and waiting:
        advice = NOTED
    return "; ".join(words), advice


def let_pass(obstacles: Mapping[date, Sequence[str]], waiting: Sequence[date]) -> Advice | None:
    """What lets these days move: those that nothing keeps back any more in one command, the first day of which a person
    decides; None where none waits. `obstacles`: what the gate said of each when it looked last."""
    kinds: dict[AdviceKind, list[date]] = {}
    for day in waiting:
        kind = _kind_of(obstacles.get(day, ()))
        if kind is not None:
            kinds.setdefault(kind, []).append(day)
    return first_of(_advice(kind, days) for kind, days in kinds.items()) if kinds else None


def _kind_of(obstacles: Sequence[str]) -> AdviceKind | None:
    """None: the day itself is not whole, which other questions ask about."""
    if any(COLLIDED.is_said_in(each) for each in obstacles):
        return AdviceKind.SETTLE
    if any(lack.is_said_in(each) for each in obstacles for lack in LACKS):
        return None
    if any(each.startswith(REJECTS) for each in obstacles):
        return AdviceKind.ACCEPT_REJECTS
    return AdviceKind.ACCEPT_DRIFT if any(each.startswith(DRIFT) for each in obstacles) else AdviceKind.RELEASE


def _advice(kind: AdviceKind, days: Sequence[date]) -> Advice:
    if kind is AdviceKind.SETTLE:
        return Advice(kind, f"make status PARTITION={days[0]}")
    if kind in _ACCEPTED_BY:
        return accept(kind, f"--partition {days[0]}")
    command = f"loader release --partition {days[0]}" if len(days) == 1 else "make build"
    return Advice(kind, command, "shows what is proved and waits")


def accept(kind: AdviceKind, partitions: str) -> Advice:
    """`kind`: ACCEPT_DRIFT or ACCEPT_REJECTS; of days that move together, as options of a command."""
    return Advice(kind, released(partitions, _ACCEPTED_BY[kind]))


def released(partitions: str, option: str) -> str:
    """The command that lets readers see these days by an option that wants a reason."""
    return f"loader release {partitions} {option} --reason '<why>'"


def _why(row: Mapping[str, Any]) -> str:
    return f"{row['partition_key']} ({row['reason']})" if row["reason"] else str(row["partition_key"])
