"""An incident: how it is made, which verb recovers it, and what is true afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from loader.drill.scratch import Scratch


@dataclass(frozen=True, slots=True)
class DrillOutcome:
    """What an incident looked like, what recovered it, and what is true afterwards.

    `seen`: what the project itself said of it; `facts`: what must hold now, read from tables and files and not from an
    exit code, each with whether it does; `is_recovered`: all of them do.
    """

    incident: str
    seen: str
    verb: str
    command: str
    facts: Mapping[str, bool]
    is_recovered: bool
    seconds: float

    @property
    def not_true(self) -> tuple[str, ...]:
        return tuple(fact for fact, holds in self.facts.items() if not holds)


@dataclass(frozen=True, slots=True)
class Made:
    """An incident that was made: what was seen of it, and how to find out, after the recovery, what is true."""

    seen: str
    facts: Callable[[], Mapping[str, bool]]


@dataclass(frozen=True, slots=True)
class Incident:
    """`make` makes it; `command` recovers `day`."""

    name: str
    verb: str
    day: str
    make: Callable[[Scratch], Made]
    command: Callable[[Scratch], tuple[str, ...]]

    def recovered(self, place: Scratch) -> DrillOutcome:
        """Make it and recover it, each by commands; raises InfrastructureError when one cannot run at all."""
        began = time.monotonic()
        made = self.make(place)
        command = self.command(place)
        ended = place.loader(*command)
        complete = place.loader("completeness", "--partition", self.day)
        facts = {
            "the command ended well": ended.code == 0,
            "the day is complete": complete.code == 0,
            **made.facts(),
        }
        return DrillOutcome(
            self.name,
            made.seen,
            self.verb,
            "loader " + " ".join(word.replace(f"{place.folder}/", "…/") for word in command),
            facts,
            all(facts.values()),
            time.monotonic() - began,
        )
