"""Days that readers do not see as they are proved: held, kept back, restored."""

from __future__ import annotations

import pytest

from tests.advice.delivered import deliver, ticket_of
from tests.advice.place import Place
from tests.advice.scene import Scene
from tests.sabotage.victims import TICKET


def held(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.loader("hold", "--partition", "2026-04-17", "--reason", "under review")
    return "make ready PARTITION=2026-04-17"


def held_while_newer_rows_wait(place: Place, patch: pytest.MonkeyPatch) -> str:
    held(place, patch)
    deliver(place, [ticket_of(900, "2026-04-17")])
    place.loader("ingest")
    return "make ready PARTITION=2026-04-17"


def drifting(place: Place, patch: pytest.MonkeyPatch) -> str:
    triaged = [ticket_of(number, status="triaged") for number in range(50, 65)]
    deliver(place, [*(ticket_of(number) for number in range(20)), *triaged])
    return "make ingest"


def collided(place: Place, patch: pytest.MonkeyPatch) -> str:
    theirs = place.value(f"select ticket_id from silver.ticket_fact where ticket_id = {TICKET}")
    deliver(place, [ticket_of(1, "2026-04-16", ticket_id=theirs, source_id="structured:tickets:other")])
    return "make ingest"


def restored(place: Place, patch: pytest.MonkeyPatch) -> str:
    deliver(place, [ticket_of(900, "2026-04-17")])
    place.loader("ingest")
    place.loader("restore", "--partition", "2026-04-17", "--reason", "wrong", "--mode", "execute")
    return "make ready PARTITION=2026-04-17"


def silver_changed_since(place: Place, patch: pytest.MonkeyPatch) -> str:
    """Noted by its triggers, unlike a superuser's damage."""
    place.sql(f"delete from silver.ticket_fact where ticket_id = {TICKET}")
    return f"make ready PARTITION={place.value('select min(partition_key) from silver.ticket_fact')}"


SCENES: tuple[Scene, ...] = (
    Scene("held", held, "closed"),
    Scene("held while newer rows wait", held_while_newer_rows_wait, "person"),
    Scene("drifting", drifting, "person"),
    Scene("collided", collided, "person"),
    Scene("restored", restored, "person"),
    Scene("Silver changed since", silver_changed_since, "closed"),
)
