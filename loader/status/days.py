"""In which state each day is, in one word and a reason: from what reconcile, the gate and the holds say. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from loader.obstacles import Code, obstacles_of
from loader.partition import Partition

# Kind and day.
_Key = tuple[str, str]
State = Literal["damaged", "incomplete", "kept back", "held", "released", "not asked for"]
STATES: tuple[State, ...] = get_args(State)
# Days that a person has to look at.
IN_NEED: frozenset[State] = frozenset({"damaged", "incomplete", "kept back"})


@dataclass(frozen=True, slots=True)
class DayState:
    """One partition; `reason` in words, empty where there is nothing to say, and the `codes` of the obstacles that it
    tells of. Counts are of lines, `ticket_count` of records.

    `is_relied_on`: readers see it as it was proved, and nothing is known to be wrong with it. A held day may be. A day
    that is not asked for has lines in files that were read for other days, and none of them has landed.
    """

    record_kind: str
    partition_key: str
    state: State
    reason: str
    ticket_count: int
    line_count: int
    rejected_count: int
    is_relied_on: bool
    codes: tuple[str, ...] = ()

    @property
    def partition(self) -> Partition:
        return Partition(self.record_kind, date.fromisoformat(self.partition_key))

    @property
    def is_asked_for(self) -> bool:
        return self.state != "not asked for"


def states_of_days(
    partitions: Iterable[Mapping[str, Any]],
    readers: Iterable[Mapping[str, Any]] | None,
    findings: Iterable[Mapping[str, Any]],
    holds: Iterable[Mapping[str, Any]],
    *,
    blind: Collection[str] = (),
) -> list[DayState]:
    """Every day of a kind that any of them knows, in order. Days are ISO strings; `readers`: None where what they see
    is not known; `findings`: rows of reconcile_finding, those without a day are of no day here, those without a kind of
    each that knows the day; `holds`: rows with the reason of each;
    `blind`: kinds of which it is not known what readers see."""
    of_reconcile = {_key(row): row for row in partitions}
    of_readers = {_key(row): row for row in readers or ()}
    held = {_key(row): row["reason"] for row in holds}
    known = {*of_reconcile, *of_readers, *held}
    damage: dict[_Key, list[Mapping[str, Any]]] = {}
    for row in findings:
        kind, day = _key(row)
        if day is not None:
            for key in [each for each in known if each[1] == day] if kind is None else [(kind, day)]:
                damage.setdefault(key, []).append(row)
    return [
        _state(
            key,
            of_reconcile.get(key, {}),
            of_readers.get(key),
            damage.get(key, ()),
            held.get(key),
            _unseen(key, readers, blind),
        )
        for key in sorted({*known, *damage})
    ]


def _unseen(key: _Key, readers: object, blind: Collection[str]) -> str:
    is_known = readers is not None and key[0] not in blind
    return "proved, and not released yet" if is_known else "whether readers see it is not known"


def _key(row: Mapping[str, Any]) -> _Key:
    return row["record_kind"], row["partition_key"]


def _state(
    key: _Key,
    proved: Mapping[str, Any],
    shown: Mapping[str, Any] | None,
    damage: Sequence[Mapping[str, Any]],
    hold: str | None,
    unseen: str,
) -> DayState:
    state, reason, codes = _judged(proved, shown, damage, hold)
    if state == "kept back" and not reason:
        reason = unseen
    is_ready = shown is not None and bool(shown["is_ready"])
    return DayState(
        record_kind=key[0],
        partition_key=key[1],
        state=state,
        reason=reason,
        ticket_count=_count(proved, "silver_row_count"),
        line_count=_count(proved, "line_count"),
        rejected_count=_count(proved, "rejected_count"),
        is_relied_on=is_ready and state != "damaged",
        codes=tuple(dict.fromkeys(codes)),
    )


def _judged(
    proved: Mapping[str, Any],
    shown: Mapping[str, Any] | None,
    damage: Sequence[Mapping[str, Any]],
    hold: str | None,
) -> tuple[State, str, list[str]]:
    if damage:
        return "damaged", _of_findings(damage), [Code.FINDING]
    obstacles = obstacles_of(proved)
    for obstacle in obstacles:
        if obstacle.code == Code.UNEXPLAINED:
            return "damaged", f"nothing explains {obstacle.count:,} of its lines and rows", [obstacle.code]
    waits, waits_for = "", []
    if shown is not None:
        waits, waits_for = shown["reason"] or "", [each["code"] for each in shown["obstacles"]]
    if hold is not None or (shown is not None and shown["is_held"]):
        return "held", hold or waits, [Code.HELD, *waits_for]
    if shown is None and any(obstacle.code == Code.UNASKED for obstacle in obstacles):
        return "not asked for", "", []
    if obstacles:
        reason = ", ".join(obstacle.message for obstacle in obstacles)
        return "incomplete", reason, [obstacle.code for obstacle in obstacles]
    if shown is not None and shown["is_ready"]:
        return "released", "", []
    return "kept back", waits, waits_for or [Code.NOT_RELEASED]


def _of_findings(damage: Sequence[Mapping[str, Any]]) -> str:
    """Which check of which table; details are for who looks at the day."""
    checks = list(dict.fromkeys((row["check_name"], row["table_name"]) for row in damage))
    more = f", and {len(checks) - 1} more" if len(checks) > 1 else ""
    return f"{checks[0][0]} in {checks[0][1]}{more}"


def _count(row: Mapping[str, Any], name: str) -> int:
    return int(row.get(name) or 0)
