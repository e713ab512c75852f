"""What `loader release`, `loader hold` and `loader ready` show: the answer in a sentence, then the days."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from loader.partition import Partition
from loader.screen import Mark, Screen, amount, next_lines, paragraph, table

if TYPE_CHECKING:
    from loader.release import Held, Published, Readiness


def gate_words(screen: Screen, published: Published) -> str:
    """What the gate did: the release and how many days it moved; and how many days of all need a person."""
    words = []
    if published.data_release_id is not None:
        words.append(f"release {published.data_release_id}: {amount(screen, len(published.partitions), 'day')}")
    need = amount(screen, len(published.in_need), "day needs", "days need")
    return ", ".join([*(words or ["nothing to release"]), *([f"{need} you"] if published.in_need else [])])


def released_lines(screen: Screen, published: Published, evidence: str | None, next_command: str) -> list[str]:
    days = [partition.named(published.kinds) for partition in published.partitions]
    # What readers see already moves without a release.
    if published.data_release_id is not None and days:
        told = (
            f"Readers see {_named(screen, days, published.kinds)} as proved now (release {published.data_release_id})."
        )
    else:
        told = "Nothing to release: readers see it as it is proved."
    also = [
        amount(screen, len(changes), noun) + words
        for changes, noun, words in (
            (published.hold_changes, "hold", " ended"),
            (published.acceptances, "finding", " let pass"),
        )
        if changes
    ]
    return [
        *paragraph(screen, told, tone="strong"),
        *([f"  {', '.join(also)}"] if also else []),
        *([f"evidence: {screen.words(evidence)}"] if evidence else []),
        *next_lines(screen, next_command),
    ]


def held_lines(screen: Screen, held: Held, why: str, next_command: str) -> list[str]:
    are = "is" if len(held.partitions) == 1 else "are"
    names = _named(screen, [partition.named(held.kinds) for partition in held.partitions], held.kinds)
    rows: list[list[object]] = []
    for hold in held.holds:
        day = Partition(hold["record_kind"], hold["partition_key"]).named(held.kinds)
        if hold["reason"] != why:
            rows.append([day, f"held already by {hold['operator']}, whose reason stays: {hold['reason']}"])
        if not hold["is_known"]:
            rows.append([day, "no line of it is known yet"])
    return [
        *paragraph(screen, f"{names} {are} held: readers see what they see now, whatever runs.", tone="strong"),
        *table(screen, rows, indent="  "),
        *next_lines(screen, next_command),
    ]


def ready_lines(screen: Screen, found: Readiness) -> list[str]:
    """The days that are not ready come first; each says whom its records name in vain. The next command goes where the
    exit code sends it."""
    days, kinds = found.partitions, found.kinds
    waiting = [row for row in days if not row["is_ready"]]
    if len(days) == 1:
        sentence = f"{_name_of(days[0], kinds)} is {'not ' if waiting else ''}ready."
    elif waiting:
        are = "is" if len(waiting) == 1 else "are"
        sentence = f"{screen.words(len(waiting))} of {amount(screen, len(days), _noun(kinds))} {are} not ready."
    else:
        sentence = f"All {amount(screen, len(days), _noun(kinds))} are ready."
    rows = [
        [
            Mark("ready", "good") if row["is_ready"] else Mark("not ready", "bad"),
            _name_of(row, kinds),
            f"release {row['data_release_id']}" if row["data_release_id"] else "",
            "; ".join(filter(None, [row["reason"] or ("held" if row["is_held"] else ""), *_named_in_vain(row, found)])),
        ]
        for row in [*waiting, *(row for row in days if row["is_ready"])]
    ]
    return [
        *paragraph(screen, sentence, tone="bad" if waiting else "strong"),
        *table(screen, rows, indent="  "),
    ]


def _named_in_vain(row: Mapping[str, Any], found: Readiness) -> list[str]:
    """What its records name that is not there, where that keeps nothing back."""
    links = [link for link in found.links if link.partition.as_record().items() <= row.items()]
    return [f"{link.fault}: {link.line}" for link in links]


def _name_of(row: Mapping[str, Any], kinds: Collection[str]) -> str:
    return Partition(row["record_kind"], date.fromisoformat(row["partition_key"])).named(kinds)


def _named(screen: Screen, days: Sequence[str], kinds: Collection[str]) -> str:
    """One day by its date; several by their number, the first and the last. Two that may be of two kinds have no
    "from … to"."""
    if len(days) == 1 or (len(days) == 2 and len(kinds) > 1):
        return " and ".join(days)
    return f"{amount(screen, len(days), _noun(kinds))} ({days[0]} … {days[-1]})"


def _noun(kinds: Collection[str]) -> str:
    """Where several kinds are known, a day of each is a partition of its own."""
    return "day" if len(kinds) < 2 else "partition"
