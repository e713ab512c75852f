"""For each kind of advice that no other quick scene meets, the state that has it and costs least to mend."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from loader.advice import AdviceKind
from loader.runs import IngestLock
from tests.advice.damaged import find
from tests.advice.delivered import DAY, ticket_of
from tests.advice.erased import erasure_cut_off
from tests.advice.place import Place
from tests.advice.scene import Scene
from tests.ingests import declare, write_export
from tests.sabotage.victims import TICKET

_OF_ANOTHER_PROCESS = 1
_SOUND_DAY = "2026-04-18"
# A proof covers what changed, and whoever proved died before the gate had looked.
_WAITS = f"update release.partition_gate set is_pending = true where partition_key = '{_SOUND_DAY}'"


def another_at_work(place: Place, patch: pytest.MonkeyPatch) -> str:
    """It is no run, and has ended when somebody looks again."""
    with pytest.MonkeyPatch.context() as there:
        there.setattr(os, "getpid", lambda: _OF_ANOTHER_PROCESS)
        lock = IngestLock.acquire(place.database, wait_seconds=0)
    place.when_typed(lock.close)
    return "make diagnose"


def a_file_that_is_no_manifest(place: Place, patch: pytest.MonkeyPatch) -> str:
    (place.seeds / "new.json").write_text("{")
    return "make diagnose"


def a_proved_day_waits(place: Place, patch: pytest.MonkeyPatch) -> str:
    place.sql(_WAITS)
    return "make diagnose"


def a_held_day_waits(place: Place, patch: pytest.MonkeyPatch) -> str:
    """And who holds it lets it move."""
    place.loader("hold", "--partition", _SOUND_DAY, "--reason", "under review")
    place.sql(_WAITS)
    place.decides()
    return f"make ready PARTITION={_SOUND_DAY}"


def a_ticket_of_two_sources(place: Place, patch: pytest.MonkeyPatch) -> str:
    return find(place, "'silver.ticket_fact'", "'key_collision'", "'duplicate'", f"'{_SOUND_DAY}'")


def a_table_that_dbt_may_not_write(place: Place, patch: pytest.MonkeyPatch) -> str:
    """Somebody has made it theirs, and gives it back; and a row of another one was written once more."""
    place.sql(f"update silver.ticket_fact set is_open = is_open where ticket_id = {TICKET}")
    place.sql("alter table silver.customer_dim owner to current_user")
    place.when_typed(lambda: place.sql("alter table silver.customer_dim owner to omni_transform"))
    place.decides()
    return "make build SELECT=customer_dim"


def absent_then_waiting(place: Place, patch: pytest.MonkeyPatch) -> str:
    """Under new rules, a manifest that nobody has read: its first day drifts, more than half of the second one's lines
    are rejected. A person lets both pass."""
    patch.setattr("loader.kinds.ticket.VERSION", "of tomorrow")
    folder = place.seeds / "new"
    _export(folder, DAY, [ticket_of(number, status="triaged" if number > 19 else "open") for number in range(35)])
    day = "2026-04-21"
    _export(folder, day, [ticket_of(number, day, **({} if number < 5 else {"status": "odd"})) for number in range(12)])
    declare(folder, "new")
    place.knows({"<why>": "looked at"})
    return "make diagnose"


def _export(folder: Path, day: str, items: list[dict[str, object]]) -> None:
    write_export(folder / f"tickets-{day}.jsonl", items)


# In the order in which it is told, longer than what an operator types in one go.
ABSENT_THEN_WAITING = Scene(
    "absent, then waiting",
    absent_then_waiting,
    "closed",
    advises=(
        AdviceKind.TAKE,
        AdviceKind.REREAD,
        # The replay itself went well.
        AdviceKind.LOOK,
        AdviceKind.ACCEPT_DRIFT,
        AdviceKind.ACCEPT_REJECTS,
        AdviceKind.LOOK,
    ),
)
CHEAPEST: tuple[Scene, ...] = (
    Scene("another at work", another_at_work, "closed", advises=(AdviceKind.WAIT,)),
    Scene("a file that is no manifest", a_file_that_is_no_manifest, "person", advises=(AdviceKind.DELIVER,)),
    Scene(
        "an erasure cut off in its build",
        erasure_cut_off("_build"),
        "closed",
        advises=(AdviceKind.ERASE,),
    ),
    Scene("a proved day waits", a_proved_day_waits, "closed", advises=(AdviceKind.RELEASE,)),
    Scene("a held day waits", a_held_day_waits, "closed", advises=(AdviceKind.FREE,)),
    Scene("a ticket of two sources", a_ticket_of_two_sources, "person", advises=(AdviceKind.SETTLE,)),
    Scene(
        "a table that dbt may not write",
        a_table_that_dbt_may_not_write,
        "closed",
        advises=(AdviceKind.CHECK, AdviceKind.PROVE),
    ),
)
