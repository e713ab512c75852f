"""A question of the triage: what is asked, and what can be advised, a closed list in the order in which it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from loader.recovery import World
from loader.release import ViewFault


class AdviceKind(StrEnum):
    """The first of these that anything asks for is what is advised: they stand in this order.

    What explains the rest before it, damage before absence, absence before what waits for its release.
    """

    WAIT = "wait"  # a run is at work
    RECALL = "recall"  # a restored database has lost what its reports still know
    SHOW = "show"  # a view shows readers something else than the project's
    ERASE = "erase"  # an erasure was cut off
    RETRY = "retry"  # a run is dead, or has failed in a stage
    LAND = "land"  # what a run has in Bronze is not what it landed
    REBUILD = "rebuild"  # Silver is not what Bronze says
    RESTORE = "restore"  # rows that nothing else holds were changed
    CHECK = "check"  # a check that names no day fails, or a model cannot be built
    PROVE = "prove"  # something changed that no proof covers, or nothing was proved
    TAKE = "take"  # lines that were asked for are not in
    DELIVER = "deliver"  # a declared file is absent, or is not what was declared
    REREAD = "reread"  # rejects that an older ruleset made
    RELEASE = "release"  # proved rows wait
    SETTLE = "settle"  # two record sources use one ticket_id
    ACCEPT_DRIFT = "accept_drift"
    ACCEPT_REJECTS = "accept_rejects"
    FREE = "free"  # a person holds the day that was asked for
    CLOCK = "clock"  # a clock is wrong now
    LOOK = "look"  # nothing is wrong


# Where no command ends it: what a person decides or delivers, word for word.
SENTENCES: dict[AdviceKind, str] = {
    AdviceKind.ERASE: "the person's id stands nowhere: ask who asked for the erasure",
    AdviceKind.RESTORE: "nothing else holds these rows: put the database back from a backup, or ingest what was"
    " delivered into a new one",
    AdviceKind.CHECK: "what dbt says above names no day: mend what it is about",
    AdviceKind.DELIVER: "upstream delivers what was declared, or a new manifest of what there is",
    AdviceKind.SETTLE: "the first source keeps Silver until a person has settled with both who uses the id",
    AdviceKind.ACCEPT_DRIFT: "a person lets it pass, or asks for a corrected export (docs/drift.md)",
    AdviceKind.ACCEPT_REJECTS: "a person lets it pass after a look at what was rejected (make completeness)",
    AdviceKind.FREE: "a person holds it, and lets it move again",
    AdviceKind.CLOCK: "set the clock that is wrong; what is recorded may stay",
}
_RANK = {kind: rank for rank, kind in enumerate(AdviceKind)}


@dataclass(frozen=True, slots=True)
class Advice:
    """A command that can be pasted, and in a few words why. Where the kind is for a person, the words are its sentence,
    and the command shows what they are about."""

    kind: AdviceKind
    command: str
    why: str = ""

    @property
    def line(self) -> str:
        """The command, and after three spaces the words, which a shell takes for a comment."""
        words = SENTENCES.get(self.kind, self.why)
        return f"{self.command}   # {words}" if words else self.command


# Where what was declared cannot be read as it is, and no command of ours brings it.
NEW_MANIFEST = Advice(AdviceKind.DELIVER, "make manifest FROM=<folder> OUT=<manifest.json>")
# The answer to a question is worth knowing and asks for nothing: other questions do, or nothing mends it.
NOTED = Advice(AdviceKind.LOOK, "make status")
NOTHING_TO_DO = Advice(AdviceKind.LOOK, "make psql ROLE=reader", "what readers see")


def first_of(advised: Iterable[Advice]) -> Advice:
    """What comes first; of one kind, what was said first. Nothing to do where nothing is advised."""
    return min(advised, key=lambda advice: _RANK[advice.kind], default=NOTHING_TO_DO)


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
