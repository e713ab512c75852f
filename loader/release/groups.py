"""Which partitions may move, and which must move together: pure, from facts that the database gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from loader.obstacles import Code, Obstacle
from loader.partition import Partition

Link = tuple[Partition, Partition]
_NO_CANDIDATE = Obstacle(Code.NOTHING_TO_RELEASE)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A partition whose proved rows are other than readers see. `obstacles`: why its own checks keep it back; none
    where they passed. `is_to_review`: a person may let all of them pass."""

    partition: Partition
    obstacles: tuple[Obstacle, ...]
    is_to_review: bool = False


class KeptBack(NamedTuple):
    """What keeps which partition back."""

    partition: Partition
    obstacle: Obstacle


@dataclass(frozen=True, slots=True)
class Decision:
    """Partitions that move together or not at all, in their order, and why they do not; no obstacle: they move."""

    partitions: tuple[Partition, ...]
    obstacles: tuple[KeptBack, ...]
    # Nothing but what a person may let pass keeps them back.
    is_to_review: bool = False

    @property
    def is_open(self) -> bool:
        return not self.obstacles


def decide(candidates: Iterable[Candidate], links: Iterable[Link]) -> tuple[Decision, ...]:
    """One decision per group of partitions that share a moved record, in the order of their first.

    A link to a partition that is no candidate keeps its group back: one side would move without the other.
    """
    known = {candidate.partition: candidate for candidate in candidates}
    return tuple(
        _decide([known.get(partition, Candidate(partition, (_NO_CANDIDATE,))) for partition in group])
        for group in connected(known, links)
    )


def _decide(group: Sequence[Candidate]) -> Decision:
    kept_back = [candidate for candidate in group if candidate.obstacles]
    return Decision(
        tuple(candidate.partition for candidate in group),
        tuple(KeptBack(candidate.partition, each) for candidate in kept_back for each in candidate.obstacles),
        bool(kept_back) and all(candidate.is_to_review for candidate in kept_back),
    )


def connected(partitions: Iterable[Partition], links: Iterable[Link]) -> list[list[Partition]]:
    """The groups that `links` make of `partitions`, each sorted, in the order of their first; links may bring others
    in."""
    neighbours: dict[Partition, set[Partition]] = {partition: set() for partition in partitions}
    for one, other in links:
        neighbours.setdefault(one, set()).add(other)
        neighbours.setdefault(other, set()).add(one)
    groups = []
    seen: set[Partition] = set()
    for partition in sorted(neighbours):
        if partition in seen:
            continue
        group, waiting = set(), [partition]
        while waiting:
            here = waiting.pop()
            if here not in group:
                group.add(here)
                waiting.extend(neighbours[here])
        seen |= group
        groups.append(sorted(group))
    return groups


def broken_links(links: Iterable[tuple[int, Partition, Partition]], pointers: Mapping[Partition, int]) -> list[Link]:
    """Links of which readers would see one side only. `links`: the release that moved the records, and its partitions;
    `pointers`: the release that each partition would show, absent for none."""
    return [
        (one, other)
        for release, one, other in links
        if (pointers.get(one, 0) >= release) != (pointers.get(other, 0) >= release)
    ]
