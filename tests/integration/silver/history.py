"""What Silver has to hold, in plain Python from its definition and not from the SQL."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.integration.silver.version import Version, at

Key = tuple[datetime, int, int, bytes]


@dataclass
class History:
    """Everything that was written to Bronze, and what of it is visible."""

    # (load, asset, line number, ruleset, version or None for a rejected line)
    lines: list[tuple[str, int, int, int, Version | None]] = field(default_factory=list)
    # The events that each load brought first.
    events: dict[str, set[uuid.UUID]] = field(default_factory=dict)
    completed: set[str] = field(default_factory=set)
    sequences: dict[int, int] = field(default_factory=dict)
    rulesets: dict[int, int] = field(default_factory=dict)

    def tickets(self) -> dict[str, tuple[Any, ...]]:
        """(event_id, version_count) by ticket_id."""
        return {ticket_id: (str(max(kept)[1].event_id), len(kept)) for ticket_id, kept in self._kept_versions().items()}

    def customers(self) -> dict[str, tuple[Any, ...]]:
        """(event_id, org_id, last_seen_at) by customer_id."""
        versions: dict[str, list[tuple[Key, Version]]] = defaultdict(list)
        for kept in self._kept_versions().values():
            for key, version in kept:
                versions[version.customer].append((key, version))
        return {
            customer: (
                str(max(rows)[1].event_id),
                f"org of {customer} {max(rows)[1].status}",
                max(version.version_at for _, version in rows),
            )
            for customer, rows in versions.items()
        }

    def _kept_versions(self) -> dict[str, list[tuple[Key, Version]]]:
        visible = set().union(*(self.events[load] for load in self.completed)) if self.completed else set()
        places: dict[uuid.UUID, tuple[int, int]] = {}
        versions: dict[uuid.UUID, Version] = {}
        for load, asset_id, number, ruleset_id, version in self.lines:
            is_read = load in self.completed and self.rulesets[asset_id] == ruleset_id
            if version is not None and is_read and version.event_id in visible:
                place = (self.sequences[asset_id], number)
                places[version.event_id] = min(place, places.get(version.event_id, place))
                versions[version.event_id] = version
        by_ticket: dict[str, list[Version]] = defaultdict(list)
        for version in versions.values():
            by_ticket[version.ticket_id].append(version)

        def key(version: Version, instant: Callable[[Version], datetime]) -> Key:
            return (instant(version), *places[version.event_id], version.fingerprint)

        kept = {}
        for ticket_id, group in by_ticket.items():
            source = min(group, key=lambda version: key(version, lambda v: at(v.created))).source
            kept[ticket_id] = [(key(v, lambda v: v.version_at), v) for v in group if v.source == source]
        return kept
