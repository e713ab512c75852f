"""Which version of a record wins, and what decided: instant, file, line, fingerprint, in this order
(docs/decisions/0011). Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from loader.kinds import Landing
from loader.trace.model import Version

_Place = tuple[datetime, int, int, str]


def ranked(versions: Sequence[Version]) -> list[Version]:
    """Each with its fate: the winner first, then the others from the newest to the oldest, then those that do not
    compete: of a record source that came later, or not built yet."""
    competing = [each for each in versions if each.fate not in _APART and each.line is not None]
    if not competing:
        return list(versions)
    kept = min(competing, key=lambda each: (each.created_at, *_delivery(each))).record_source
    first = sorted((each for each in competing if each.record_source == kept), key=place_of, reverse=True)
    fates = {each.event_id: "superseded" for each in first} | {first[0].event_id: "current"}
    others = [each for each in versions if each.event_id not in fates]
    return [
        *(replace(each, fate=fates[each.event_id]) for each in first),
        *(each if each.fate in _APART else replace(each, fate="collided") for each in others),
    ]


# What does not compete.
_APART = ("waiting", "replaced")


def _delivery(version: Version) -> tuple[int, int, str]:
    assert version.line is not None
    return version.line.file.sequence, version.line.number, version.event_id


def place_of(version: Version) -> _Place:
    """What versions are ordered by; the greatest wins."""
    return version.version_at, *_delivery(version)


def reason(versions: Sequence[Version], landing: Landing) -> str:
    """Why the first of these (as ranked) is the one that Silver shows."""
    current = [each for each in versions if each.fate == "current"]
    replaced = any(each.fate == "replaced" for each in versions)
    if not current:
        return "a newer file counts whole, and lacks it" if replaced else "no version of it counts yet"
    if replaced:
        return "its file is the newest of its kind, and counts whole"
    older = [each for each in versions if each.fate == "superseded"]
    if not older:
        return "it is the only version"
    winner, next_one = current[0], older[0]
    for place, (mine, others) in enumerate(zip(place_of(winner), place_of(next_one), strict=True)):
        if mine != others:
            told, before = (_told(place, each, landing) for each in (winner, next_one))
            tie = _UNORDERED if place == 2 and not _is_of_one_file(winner, next_one) else _TIES[place]
            return f"it has the {_PLACES[place]} of {len(older) + 1:,} versions, {told} after {before}{tie}"
    raise AssertionError("two versions of one id")


_PLACES = ("latest instant", "latest file", "last line", "greatest fingerprint")
_TIES = (
    "",
    "; their instants are equal",
    "; their instants and their file are equal",
    "; all else is equal, and nothing that upstream says orders them",
)
_UNORDERED = "; their instants and the places of their files are equal, and nothing that upstream says orders them"


def _is_of_one_file(one: Version, other: Version) -> bool:
    assert one.line is not None and other.line is not None
    return one.line.file.asset_id == other.line.file.asset_id


def _told(place: int, version: Version, landing: Landing) -> str:
    """What a version has at a place of the order."""
    assert version.line is not None
    if place == 0:
        field = landing.roles.updated if version.updated_at is not None else landing.roles.partition
        return f"{field} {version.version_at:%Y-%m-%d %H:%M:%S.%f}".removesuffix(".000000")
    if place == 1:
        return f"{version.line.file.source_id} ({version.line.file.sequence})"
    return version.line.name if place == 2 else f"{version.record_fingerprint[:12]}…"
