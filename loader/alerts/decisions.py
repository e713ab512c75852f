"""What is decided of each day, in words that name nobody: a state, codes from closed lists, what to type. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from loader.obstacles import Code
from loader.partition import variables_of
from loader.status import IN_NEED, DayState, Status

# What is about the warehouse and no day.
WAREHOUSE = "warehouse"
_TRIAGE = "make diagnose"


@dataclass(frozen=True, slots=True)
class Alert:
    """`subject`: <kind>/<day>, or the warehouse. Two decisions are one where state and codes are: whoever was told of
    the one knows the other. `is_loud`: damage, which waits for no morning.

    Words that people or files have written (reasons of holds, names of files, keys) are left out: an alert goes to
    places that the loader does not know.
    """

    subject: str
    state: str
    codes: tuple[str, ...]
    needs_somebody: bool
    next_command: str = field(compare=False)

    @property
    def record_kind(self) -> str | None:
        kind, separator, _ = self.subject.partition("/")
        return kind if separator else None

    @property
    def day(self) -> str | None:
        return self.subject.partition("/")[2] or None

    @property
    def is_loud(self) -> bool:
        return self.state == "damaged" or Code.VIEW_DIFFERS in self.codes

    @property
    def sentence(self) -> str:
        named = f"{self.day} of {self.record_kind}" if self.day else "the warehouse"
        if not self.needs_somebody:
            return f"settled: {named} is {self.state}"
        why = f" ({', '.join(self.codes)})" if self.codes else ""
        return f"needs you: {named} is {self.state}{why}. Next: {self.next_command}"

    def as_record(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "subject": self.subject,
            "record_kind": self.record_kind,
            "partition_key": self.day,
            "state": self.state,
            "codes": list(self.codes),
            "needs_somebody": self.needs_somebody,
            "next_command": self.next_command,
        }

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self:
        """Read what as_record wrote."""
        return cls(
            record["subject"],
            record["state"],
            tuple(record["codes"]),
            record["needs_somebody"],
            record["next_command"],
        )


def alerts_of(status: Status) -> list[Alert]:
    """One for every day that was asked for, and one for the warehouse."""
    obstacles = _obstacles(status)
    days = [_of_day(day, obstacles.get(_key(day), ()), status.kinds) for day in status.days if day.is_asked_for]
    return [_of_warehouse(status), *days]


def _obstacles(status: Status) -> dict[tuple[str, str], list[Mapping[str, Any]]]:
    found: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in (*status.partitions, *status.readers):
        found.setdefault((row["record_kind"], row["partition_key"]), []).extend(row["obstacles"])
    return found


def _key(day: DayState) -> tuple[str, str]:
    return day.record_kind, day.partition_key


def _of_day(day: DayState, obstacles: Iterable[Mapping[str, Any]], kinds: Sequence[str]) -> Alert:
    """A hold is somebody's decision already; the day needs nobody until it is let go."""
    look = f"make status {variables_of([day.partition], kinds)}"
    # The triage is for where nothing says more.
    asks = [each["next_command"] for each in obstacles if each["next_command"] not in ("", _TRIAGE)]
    return Alert(
        f"{day.record_kind}/{day.partition_key}",
        day.state,
        tuple(sorted(day.codes)),
        day.state in IN_NEED,
        look if day.state == "damaged" or not asks else asks[0],
    )


def _of_warehouse(status: Status) -> Alert:
    """A run that ended before its end, and views that are not the project's; what a run that ended found is of days."""
    codes: list[str] = []
    last = status.runs[0] if status.runs else None
    if last is not None and (last["failure"] or (last["status"] == "running" and not last["is_alive"])):
        codes.append(Code.RUN_FAILED)
    if status.view_faults:
        codes.append(Code.VIEW_DIFFERS)
    return Alert(WAREHOUSE, "in need" if codes else "in order", tuple(codes), bool(codes), _TRIAGE)
