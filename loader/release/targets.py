"""Where pointers would stand after a restore: pure, from versions, links and pointers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date

Versions = Mapping[date, Sequence[int]]


class NoSuchVersionError(Exception):
    """A partition had not been released then."""


class LinkedError(Exception):
    """Two partitions that share moved tickets were asked to show states between which the tickets moved."""


def version_at(versions: Versions, day: date, release: int) -> int:
    """The version that a partition had at a release; 0: none yet."""
    known = versions.get(day, ())
    place = bisect_right(known, release)
    return known[place - 1] if place else 0


def restore_targets(
    versions: Versions,
    pointers: Mapping[date, int],
    links: Iterable[tuple[int, date, date]],
    wanted: Mapping[date, int],
) -> dict[date, int]:
    """`wanted`, and the partitions that must go back with it: those that share a ticket which a release moved between
    the state that is wanted and the one that is shown.

    Raises LinkedError where two partitions of `wanted` contradict each other.
    """
    targets = dict(wanted)
    links = sorted(links, reverse=True)
    is_settled = False
    while not is_settled:
        is_settled = True
        for release, *sides in links:
            ahead = [day for day in sides if targets.get(day, pointers.get(day, 0)) >= release]
            if len(ahead) != 1:
                continue
            (day,) = ahead
            if day in wanted:
                raise LinkedError(f"{sides[0]} and {sides[1]} share tickets that release {release} moved")
            targets[day] = version_at(versions, day, release - 1)
            is_settled = False
    return targets
