"""Which versions of partitions may go: pure, from versions, pointers, links and when readers last saw each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from loader.partition import Partition
from loader.release.targets import Versions, version_at

Version = tuple[Partition, int]


def expirable(
    versions: Versions,
    gone: Collection[Version],
    pointers: Mapping[Partition, int],
    links: Iterable[tuple[int, Partition, Partition]],
    left_at: Mapping[Version, datetime],
    *,
    older_than: datetime,
    keep: int,
) -> list[Version]:
    """The versions that nothing needs, sorted; `versions`: all that ever were, `gone`: those that have expired before.

    A version stays that is among the `keep` newest of its partition (so its newest, which the next release builds on,
    always does); that readers see now (what a hold keeps is what they see); that they saw at or after `older_than`
    (`left_at`: when a pointer left it last; not known: it stays); or without which a version that stays could not be
    shown, since the two share records that moved.
    """
    waiting = [
        (partition, version)
        for partition, known in versions.items()
        for place, version in enumerate(known)
        if place >= len(known) - keep
        or version == pointers.get(partition, 0)
        or left_at.get((partition, version), older_than) >= older_than
    ]
    neighbours = _neighbours(links)
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
            before = 0 if first is None else version_at(versions, other, first - 1)
            if before:
                waiting.append((other, before))
    everything = {(partition, version) for partition, known in versions.items() for version in known}
    return sorted(everything - needed - set(gone))


def _neighbours(links: Iterable[tuple[int, Partition, Partition]]) -> dict[Partition, dict[Partition, list[int]]]:
    """For each partition those that it shares moved records with, and the releases that moved them."""
    found: dict[Partition, dict[Partition, list[int]]] = {}
    for release, one, other in links:
        for side, neighbour in ((one, other), (other, one)):
            found.setdefault(side, {}).setdefault(neighbour, []).append(release)
    return found
