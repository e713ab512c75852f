"""Which partitions may move, and which must move together: pure, from facts that the database gave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

Link = tuple[date, date]

_NO_CANDIDATE = "shares a moved ticket and has nothing to release"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A partition whose proved rows are other than readers see. `obstacles`: why its own checks keep it back; none
    where they passed. `is_to_review`: a person may let all of them pass."""

    partition_key: date
    obstacles: tuple[str, ...]
    is_to_review: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """Partitions that move together or not at all, in their order, and why they do not; no obstacle: they move."""

    partitions: tuple[date, ...]
    obstacles: tuple[str, ...]
    # Nothing but what a person may let pass keeps them back.
    is_to_review: bool = False

    @property
    def is_open(self) -> bool:
        return not self.obstacles


def decide(candidates: Iterable[Candidate], links: Iterable[Link]) -> tuple[Decision, ...]:
    """One decision per group of partitions that share a moved ticket, by their first day.

    A link to a partition that is no candidate keeps its group back: one side would move without the other.
    """
    known = {candidate.partition_key: candidate for candidate in candidates}
    return tuple(
        _decide([known.get(day, Candidate(day, (_NO_CANDIDATE,))) for day in group])
        for group in connected(known, links)
    )


def _decide(group: Sequence[Candidate]) -> Decision:
    kept_back = [candidate for candidate in group if candidate.obstacles]
    return Decision(
        tuple(candidate.partition_key for candidate in group),
        tuple(f"{candidate.partition_key}: {obstacle}" for candidate in kept_back for obstacle in candidate.obstacles),
        bool(kept_back) and all(candidate.is_to_review for candidate in kept_back),
    )


def connected(days: Iterable[date], links: Iterable[Link]) -> list[list[date]]:
    """The groups that `links` make of `days`, each sorted, by their first day; links may bring days of their own."""
    neighbours: dict[date, set[date]] = {day: set() for day in days}
    for one, other in links:
        neighbours.setdefault(one, set()).add(other)
        neighbours.setdefault(other, set()).add(one)
    groups = []
    seen: set[date] = set()
    for day in sorted(neighbours):
        if day in seen:
            continue
        group, waiting = set(), [day]
        while waiting:
            here = waiting.pop()
            if here not in group:
                group.add(here)
                waiting.extend(neighbours[here])
        seen |= group
        groups.append(sorted(group))
    return groups


def broken_links(links: Iterable[tuple[int, date, date]], pointers: Mapping[date, int]) -> list[Link]:
    """Links of which readers would see one side only. `links`: the release that moved the tickets, and its days;
    `pointers`: the release that each partition would show, absent for none."""
    return [
        (one, other)
        for release, one, other in links
        if (pointers.get(one, 0) >= release) != (pointers.get(other, 0) >= release)
    ]
