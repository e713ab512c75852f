"""What the verbs have in common: how each is asked, planned and carried out. What they do is in their modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from loader.partition import Partition
from loader.recovery.plan import Plan
from loader.recovery.world import World
from loader.runs import Attempt

if TYPE_CHECKING:
    from loader.ingest import DeclaredInput, Verdict, Workplace
    from loader.runs import RegisteredAsset


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an earlier attempt was asked to read, and the entries that it had recorded: what a retry works on.
    `takes_back`: what the run had landed is not what it landed any more, and is landed again."""

    declared: DeclaredInput
    entries: Sequence[RegisteredAsset]
    takes_back: bool = False


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did: its release, the version that each partition shows now, its evidence, and the kinds that
    the warehouse knows."""

    data_release_id: int
    targets: Mapping[Partition, int]
    report_path: Path
    kinds: frozenset[str]


@dataclass(frozen=True, slots=True)
class Expired:
    """What an expiry removed: versions of partitions, and rows that no other version shows; `expiry_id` and
    `report_path` None: there was nothing to remove."""

    expiry_id: int | None
    versions: tuple[tuple[Partition, int], ...]
    row_count: int
    report_path: Path | None


class RecoveryVerb(Protocol):
    """A verb. `plan` reads only, and gives the same for the same world and request; raises what refuses the request. It
    may trust `earlier`, the record of a plan of the same request, in what follows from bytes that are still the same.

    `carry_out` is called under the lock, with a plan that was just compared with the world, and returns the verdict of
    that attempt.
    """

    def plan(self, world: World, request: Mapping[str, Any], earlier: Mapping[str, Any] | None = None) -> Plan: ...

    def carry_out(self, work: Workplace, plan: Mapping[str, Any], attempt: Attempt) -> Verdict | Restored | Expired: ...
