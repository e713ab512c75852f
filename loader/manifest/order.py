"""The order of a delivery's files: from their names where these give one, else as the operator says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from loader.manifest.dates import SHORT_YEARS, YEARS
from loader.manifest.names import NamedPlace, natural_tokens, read_name

_NAMES_TOLD = 4


class UnorderedError(Exception):
    """The names leave the order of some files open. `reasons`: reason -> the names, in name order."""

    def __init__(self, reasons: Mapping[str, Sequence[str]]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = {reason: tuple(sorted(set(names))) for reason, names in reasons.items()}

    @property
    def told(self) -> str:
        """A line for each reason, with the first of its names."""
        return "".join(f"\n  {reason}: {first_names(names)}" for reason, names in self.reasons.items())


def first_names(names: Sequence[str]) -> str:
    """Some of them, as a terminal may show them, and how many more."""
    more = f" and {len(names) - _NAMES_TOLD} more" if len(names) > _NAMES_TOLD else ""
    return ", ".join(map(ascii, names[:_NAMES_TOLD])) + more


def places_of(source_ids: Sequence[str], now: datetime | None = None) -> list[NamedPlace]:
    """What each name says, read in one way for all: digits beside a day are times only if that gives an order. `now`
    as for read_name."""
    places = _with_years_doubted([read_name(name, now=now) for name in source_ids])
    if _open_reasons(source_ids, places):
        as_numbers = _with_years_doubted([read_name(name, are_bare_digits_times=False, now=now) for name in source_ids])
        if not _open_reasons(source_ids, as_numbers):
            return as_numbers
    return places


def _with_years_doubted(places: Sequence[NamedPlace]) -> list[NamedPlace]:
    """Doubt undated names with another number before what may be a year (`12-2026`, `1-2027`), where both differ among
    names that are otherwise alike. A number that is a year in some of them only counts something (`1/part-1970`)."""
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, place in enumerate(places):
        if place.period is None and place.doubt is None:
            alike[tuple(word if kind else None for kind, _, word in place.tokens)].append(index)
    found = list(places)
    for indices in alike.values():
        for at, column in enumerate(zip(*(places[index].numbers for index in indices), strict=True)):
            before = {places[index].numbers[:at] for index in indices}
            are_years = any(all(number in years for number in column) for years in (YEARS, SHORT_YEARS))
            if are_years and len(set(column)) > 1 and len(before) > 1:
                for index in indices:
                    doubted = "-".join(map(str, places[index].numbers[: at + 1]))
                    doubt = "a year after another number: a month, a week or a count"
                    found[index] = NamedPlace(None, doubt, ((1, 0, doubted), *places[index].tokens))
    return found


def order_by_names(source_ids: Sequence[str], places: Sequence[NamedPlace]) -> list[int]:
    """Indices, oldest first: by date, and within one date, or without any, by the numbers of names that are otherwise
    alike. Raises UnorderedError where two names leave open which comes first."""
    reasons = _open_reasons(source_ids, places)
    if reasons:
        raise UnorderedError(reasons)
    return _sorted(places)


def order_by_name_as_text(source_ids: Sequence[str], places: Sequence[NamedPlace]) -> list[int]:
    """The same, with words in alphabetical order; dates count only where each name has one that is certain."""
    if all(place.period is not None for place in places):
        return _sorted(places, source_ids)
    return _sorted([NamedPlace(None, None, natural_tokens(name)) for name in source_ids], source_ids)


def _sorted(places: Sequence[NamedPlace], source_ids: Sequence[str] | None = None) -> list[int]:
    def key(index: int) -> tuple[object, ...]:
        place = places[index]
        start = (place.period.start, place.period.end) if place.period else ()
        return (start, place.tokens, source_ids[index] if source_ids else "")

    return sorted(range(len(places)), key=key)


def _open_reasons(source_ids: Sequence[str], places: Sequence[NamedPlace]) -> dict[str, list[str]]:
    """Why the order is open, and between which names. In sorted order it is open between neighbours, or nowhere."""
    reasons: dict[str, list[str]] = {}
    dated = [index for index, place in enumerate(places) if place.period is not None]
    others = [index for index, place in enumerate(places) if place.period is None]
    if dated and others:
        for index in others:
            reason = places[index].doubt or "only some of the names say when, and these do not"
            reasons.setdefault(reason, []).append(source_ids[index])
    for group in (dated, others):
        ordered = [group[index] for index in _sorted([places[index] for index in group])]
        for one, other in pairwise(ordered):
            why = _why_open(places[one], places[other])
            if why:
                reasons.setdefault(why, []).extend((source_ids[one], source_ids[other]))
    return reasons


def _why_open(one: NamedPlace, other: NamedPlace) -> str | None:
    """Why it is open which of two neighbours in sorted order is older; None when their names say so."""
    if one.period != other.period:
        assert one.period is not None and other.period is not None
        is_apart = one.period.end <= other.period.start
        return None if is_apart else "one name says a time within the day, week or month of another"
    for token, other_token in zip(one.tokens, other.tokens, strict=False):
        if token != other_token:
            both_numbers = token[0] == 0 and other_token[0] == 0
            return None if both_numbers else _open_reason(one, other)
    more = other.tokens[len(one.tokens) :]
    # `export` and `export-2`
    return None if more and more[0][0] == 0 else _open_reason(one, other)


def _open_reason(one: NamedPlace, other: NamedPlace) -> str:
    doubt = one.doubt or other.doubt
    if doubt:
        return doubt
    return f"{'no date, and' if one.period is None else 'one date for several, and'} no number says which is older"
