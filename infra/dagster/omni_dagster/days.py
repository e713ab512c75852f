"""What the loader says of each day, in the words of a scheduler: which stages hold, and what is in the way. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

# In the order in which data walk.
STAGES = ("gate", "raw_zone", "bronze", "silver", "serving")
# Where the way of a day ends that has such an obstacle; one of any other code keeps it from its readers.
_STAGE_OF = {
    **dict.fromkeys(("asset_missing", "asset_withheld"), "gate"),
    **dict.fromkeys(("asset_not_read", "lines_unasked", "lines_not_taken"), "bronze"),
    **dict.fromkeys(
        (
            "unexplained_gap",
            "key_collision",
            "events_pending",
            "link_missing",
            "content_differs",
            "reconcile_finding",
            "left_open",
            "not_proved",
            "changed_since_proof",
            "silver_changed",
            "bronze_changed",
        ),
        "silver",
    ),
}
# That a day waits is no reason beside another one.
_NO_REASON = frozenset({"not_released", "waiting"})


@dataclass(frozen=True)
class Obstacle:
    """Why a day may not move: the loader's code, its words, and what to type."""

    code: str
    message: str
    next_command: str

    @property
    def stage(self) -> str:
        return _STAGE_OF.get(self.code, STAGES[-1])


@dataclass(frozen=True)
class Day:
    """A day of a kind, as `loader status` has it. `counts`: of its lines and records, as reconcile counted them."""

    record_kind: str
    partition_key: str
    state: str
    is_relied_on: bool
    reason: str
    obstacles: tuple[Obstacle, ...]
    counts: Mapping[str, int]

    @property
    def stages(self) -> tuple[str, ...]:
        """Those that hold, one after the other; the last where readers may rely on the day."""
        ends = [STAGES.index(obstacle.stage) for obstacle in self.obstacles]
        whole = STAGES[: min(ends, default=len(STAGES))]
        return whole if self.is_relied_on else whole[: len(STAGES) - 1]

    @property
    def sentence(self) -> str:
        """Why readers may not rely on it, and what to type."""
        said = "; ".join(obstacle.message for obstacle in self.obstacles if obstacle.message) or self.reason
        asks = [obstacle.next_command for obstacle in self.obstacles if obstacle.next_command]
        after = asks[0] if asks else f"make status PARTITION={self.partition_key} KIND={self.record_kind}"
        return f"{self.partition_key} of {self.record_kind} is {self.state}: {said or 'not as proved'}. Next: {after}"


def days_of(status: Mapping[str, Any]) -> dict[tuple[str, str], Day]:
    """Every day that was asked for, by kind and day, from `loader status --json`."""
    proved = {_key(row): row for row in status["partitions"]}
    waiting = {_key(row): row for row in status["readers"]}
    return {
        _key(row): _day(row, proved.get(_key(row), {}), waiting.get(_key(row), {}))
        for row in status["days"]
        if row["state"] != "not asked for"
    }


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["record_kind"], row["partition_key"]


def _day(row: Mapping[str, Any], proved: Mapping[str, Any], shown: Mapping[str, Any]) -> Day:
    told = {each["code"]: each for each in (*proved.get("obstacles", ()), *shown.get("obstacles", ()))}
    found = [
        Obstacle(code, each.get("message", ""), each.get("next_command", ""))
        for code, each in [*told.items(), *((code, {}) for code in row["codes"] if code not in told)]
    ]
    reasons = [each for each in found if each.code not in _NO_REASON] or found
    obstacles = [each if each.message else replace(each, message=row["reason"]) for each in reasons]
    return Day(
        *_key(row),
        state=row["state"],
        is_relied_on=row["is_relied_on"],
        reason=row["reason"],
        # A held day may be one that readers rely on: somebody's decision stands in nobody's way.
        obstacles=() if row["is_relied_on"] else tuple(obstacles),
        counts={name.removesuffix("_count"): count for name, count in proved.items() if name.endswith("_count")},
    )


def windows(days: Iterable[str]) -> list[tuple[str, str]]:
    """The first and the last of days that follow each other."""
    found: list[tuple[str, str]] = []
    for day in sorted(days):
        if found and date.fromisoformat(found[-1][1]) + timedelta(days=1) == date.fromisoformat(day):
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return found


def in_the_way(days: Iterable[Day], stage: str) -> list[tuple[Day, Obstacle]]:
    """What stands in the way at this stage, day by day."""
    return [(day, obstacle) for day in days for obstacle in day.obstacles if obstacle.stage == stage]


def of_kind(days: Mapping[tuple[str, str], Day], record_kind: str, keys: Collection[str]) -> Sequence[Day]:
    """Those of the given days that anybody has asked for."""
    return [days[record_kind, key] for key in sorted(keys) if (record_kind, key) in days]
