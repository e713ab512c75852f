"""Which versions of partitions may go: pure, from versions, pointers, links and when readers last saw each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime

from loader.release.targets import Versions, version_at

Version = tuple[date, int]


def expirable(
    versions: Versions,
    gone: Collection[Version],
    pointers: Mapping[date, int],
    links: Iterable[tuple[int, date, date]],
    left_at: Mapping[Version, datetime],
    *,
    older_than: datetime,
    keep: int,
) -> list[Version]:
    """The versions that nothing needs, sorted; `versions`: all that ever were, `gone`: those that have expired before.

    A version stays that is among the `keep` newest of its partition (so its newest, which the next release builds on,
    always does); that readers see now (what a hold keeps is what they see); that they saw at or after `older_than`
    (`left_at`: when a pointer left it last; not known: it stays); or without which a version that stays could not be
    shown, since the two share tickets that moved.
    """
    waiting = [
        (day, version)
        for day, known in versions.items()
        for place, version in enumerate(known)
        if place >= len(known) - keep
        or version == pointers.get(day, 0)
        or left_at.get((day, version), older_than) >= older_than
    ]
    neighbours = _neighbours(links)
    needed: set[Version] = set()
    while waiting:
        here = waiting.pop()
        if here in needed:
            continue
        needed.add(here)
        day, version = here
        for other, releases in neighbours.get(day, {}).items():
            # Before the first release that moved tickets between the two since: a restore takes the other back to it.
            first = min((release for release in releases if release > version), default=None)
            before = 0 if first is None else version_at(versions, other, first - 1)
            if before:
                waiting.append((other, before))
    everything = {(day, version) for day, known in versions.items() for version in known}
    return sorted(everything - needed - set(gone))


def _neighbours(links: Iterable[tuple[int, date, date]]) -> dict[date, dict[date, list[int]]]:
    """Of each partition: those that it shares moved tickets with, and the releases that moved them."""
    found: dict[date, dict[date, list[int]]] = {}
    for release, one, other in links:
        for day, neighbour in ((one, other), (other, one)):
            found.setdefault(day, {}).setdefault(neighbour, []).append(release)
    return found
