"""Every state in which a day is not as it should be, and the one in which many troubles come at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from loader.advice import AdviceKind
from tests.advice import cut_off, damaged, delivered, erased, waiting
from tests.advice.damaged import a_hold_that_a_restored_database_forgot, a_view_that_readers_may_not_read
from tests.advice.delivered import deliver
from tests.advice.place import Place
from tests.advice.scene import Scene
from tests.recoveries import failing
from tests.sabotage.victims import SHOWN_TICKET


def all_at_once(place: Place, patch: pytest.MonkeyPatch) -> str:
    """A decision is forgotten, a view is bent, a run is dead, rows of Bronze and of another day's Silver are gone."""
    a_hold_that_a_restored_database_forgot(place, patch)
    a_view_that_readers_may_not_read(place, patch)
    deliver(place)
    with failing("gate"):
        place.loader("ingest")
    place.damage(
        f"delete from bronze.raw_ticket_event where event_id = {SHOWN_TICKET}",
        "delete from silver.ticket_fact where ticket_id = (select max(ticket_id) from silver.ticket_fact)",
    )
    return "make diagnose"


# An ingest or a proof takes seconds: these are typed in every run of the tests, the others in the long one.
_QUICK = (
    "a refused manifest alone",
    "a changed manifest",
    "held",
    "locked by another",
    "a row of Silver is gone",
    "a hold that a restored database forgot",
    "a finding in what nothing else holds",
    "a clock that is wrong now",
    "a partition that was detached",
)

_ALL = (*delivered.SCENES, *waiting.SCENES, *cut_off.SCENES, *erased.SCENES, *damaged.SCENES)
STATES = tuple(replace(scene, is_long=scene.name not in _QUICK) for scene in _ALL)
# In the order in which they are mended.
ALL_AT_ONCE = Scene(
    "all at once",
    all_at_once,
    "closed",
    advises=(AdviceKind.RECALL, AdviceKind.SHOW, AdviceKind.RETRY, AdviceKind.LAND),
)
