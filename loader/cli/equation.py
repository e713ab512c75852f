"""The equation of a day in words: what became of its lines, and what its events make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loader.screen import Screen, paragraph

# Counts of reconcile_partition, in the words of one and of several.
_FATES = (
    ("landed_count", "landed", "landed"),
    ("duplicate_count", "duplicate", "duplicates"),
    ("rejected_count", "rejected", "rejected"),
    ("out_of_partition_count", "not taken", "not taken"),
    ("gap_count", "without a fate", "without a fate"),
)
_EVENTS = (
    ("superseded_count", "older version kept", "older versions kept"),
    ("collided_count", "with a ticket_id of another source", "with a ticket_id of another source"),
    ("retired_count", "of people who were erased", "of people who were erased"),
    ("pending_count", "waiting for Silver", "waiting for Silver"),
)


def equation_lines(screen: Screen, row: Mapping[str, Any]) -> list[str]:
    """Of a row of reconcile_partition: its lines by fate, what its events came to, and what nothing explains."""
    fates = [(int(row.get(name) or 0), one, several) for name, one, several in _FATES]
    lines = int(row.get("line_count") or 0)
    erased = lines - sum(count for count, _, _ in fates)
    terms = [*fates, (erased, "erased", "erased")]
    told = " + ".join(_term(screen, *term) for term in terms if term[0]) or "0"
    events = int(row.get("event_count") or 0)
    found = [paragraph(screen, f"{_term(screen, lines, 'line', 'lines')} = {told}", indent="  ", hanging="      ")]
    made = [_term(screen, int(row.get("silver_row_count") or 0), "ticket", "tickets")]
    made += [_term(screen, int(row.get(name) or 0), one, several) for name, one, several in _EVENTS if row.get(name)]
    unexplained = int(row.get("unexplained_count") or 0)
    end = f"{screen.words(unexplained)} unexplained" if unexplained else "nothing unexplained"
    text = f"{_term(screen, events, 'event', 'events')} → {', '.join(made)}; {end}"
    found.append(paragraph(screen, text, indent="  ", hanging="      ", tone="bad" if unexplained else None))
    return [line for each in found for line in each]


def _term(screen: Screen, count: int, one: str, several: str) -> str:
    return f"{screen.words(count)} {one if count == 1 else several}"
