"""Which partitions may move, and which must move together; which versions they go back to in a restore, and which may
expire: pure, from facts that the database gave."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from loader.obstacles import Code, Obstacle
from loader.partition import Partition

Link = tuple[Partition, Partition]
_NO_CANDIDATE = Obstacle(Code.NOTHING_TO_RELEASE)
Versions = Mapping[Partition, Sequence[int]]
Version = tuple[Partition, int]


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


@dataclass(frozen=True, slots=True)
class History:
    """`versions`: all that ever were; `gone`: those that have expired; `pointers`: those that readers see now;
    `left_at`: when a pointer left each last; `links`: the releases that moved records, and between which partitions.
    """

    versions: Versions
    gone: Collection[Version]
    pointers: Mapping[Partition, int]
    links: Iterable[tuple[int, Partition, Partition]]
    left_at: Mapping[Version, datetime]


class LinkedError(Exception):
    """Two partitions that share moved records were asked to show states between which the records moved: `sides`, and
    the `release` that moved them."""

    def __init__(self, sides: tuple[Partition, Partition], release: int) -> None:
        super().__init__(f"{sides[0].day} and {sides[1].day} share records that release {release} moved")
        self.sides, self.release = sides, release


def version_at(versions: Versions, partition: Partition, release: int) -> int:
    """The version that a partition had at a release; 0: none yet."""
    known = versions.get(partition, ())
    place = bisect_right(known, release)
    return known[place - 1] if place else 0


def restore_targets(
    versions: Versions,
    pointers: Mapping[Partition, int],
    links: Iterable[tuple[int, Partition, Partition]],
    wanted: Mapping[Partition, int],
) -> dict[Partition, int]:
    """`wanted`, and the partitions that must go back with it: those that share a record which a release moved between
    the state that is wanted and the one that is shown.

    Raises LinkedError where two partitions of `wanted` contradict each other.
    """
    targets = dict(wanted)
    links = sorted(links, reverse=True)
    is_settled = False
    while not is_settled:
        is_settled = True
        for release, *sides in links:
            ahead = [side for side in sides if targets.get(side, pointers.get(side, 0)) >= release]
            if len(ahead) != 1:
                continue
            (partition,) = ahead
            if partition in wanted:
                raise LinkedError((sides[0], sides[1]), release)
            targets[partition] = version_at(versions, partition, release - 1)
            is_settled = False
    return targets


def expirable(history: History, *, older_than: datetime, keep: int) -> list[Version]:
    """The versions that nothing needs, sorted; those that are gone already left out.

    A version stays that is among the `keep` newest of its partition (so its newest, which the next release builds on,
    always does); that readers see now (what a hold keeps is what they see); that they saw at or after `older_than`
    (where that is not known, it stays); or without which a version that stays could not be
    shown, since the two share records that moved.
    """
    waiting = [
        (partition, version)
        for partition, known in history.versions.items()
        for place, version in enumerate(known)
        if place >= len(known) - keep
        or version == history.pointers.get(partition, 0)
        or history.left_at.get((partition, version), older_than) >= older_than
    ]
    neighbours = _neighbours(history.links)
    needed: set[Version] = set()
    while waiting:
        here = waiting.pop()
        if here in needed:
            continue
        needed.add(here)
        partition, version = here
        for other, releases in neighbours.get(partition, {}).items():
            # Before the first release that moved records between the two since: a restore takes the other back to it.
            first = min((release for release in releases if release > version), default=None)
            before = 0 if first is None else version_at(history.versions, other, first - 1)
            if before:
                waiting.append((other, before))
    everything = {(partition, version) for partition, known in history.versions.items() for version in known}
    return sorted(everything - needed - set(history.gone))


def _neighbours(links: Iterable[tuple[int, Partition, Partition]]) -> dict[Partition, dict[Partition, list[int]]]:
    """For each partition those that it shares moved records with, and the releases that moved them."""
    found: dict[Partition, dict[Partition, list[int]]] = {}
    for release, one, other in links:
        for side, neighbour in ((one, other), (other, one)):
            found.setdefault(side, {}).setdefault(neighbour, []).append(release)
    return found
