"""What is asked of the warehouse: one snapshot of it, and what the caller knows besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from loader.advice.kinds import Advice
from loader.recovery import World
from loader.release import ViewFault


@dataclass(frozen=True, slots=True)
class Asked:
    """`partition` and `record_kind` narrow the questions that are about days; `is_folder_searched`: whether a manifest
    of the default folder that no run was asked to read is out of order; `view_faults`: how the views of `serving`
    differ from the project's."""

    world: World
    partition: date | None = None
    view_faults: Sequence[ViewFault] = ()
    is_folder_searched: bool = True
    record_kind: str | None = None

    @property
    def suffix(self) -> str:
        given = {"PARTITION": self.partition, "KIND": self.record_kind}
        return "".join(f" {name}={value}" for name, value in given.items() if value)


# The answer in a sentence or two, and what mends it where it is not in order, or NOTED. Writes nothing.
Look = Callable[[Asked], tuple[str, Advice | None]]
_SHOWN = 5


def some(names: Sequence[str], shown: int = _SHOWN, separator: str = "; ") -> str:
    """The first of them, and how many there are beyond."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return separator.join(names[:shown]) + more
