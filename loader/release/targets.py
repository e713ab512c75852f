"""Where pointers would stand after a restore: pure, from versions, links and pointers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

from loader.partition import Partition

Versions = Mapping[Partition, Sequence[int]]


class NoSuchVersionError(Exception):
    """A partition had not been released then."""


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
