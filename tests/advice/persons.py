"""What is left when no command ends it: the committed sentences that name what a person decides or delivers."""

from __future__ import annotations

from loader.advice import SENTENCES
from loader.raw_zone.lost_objects import BACK_FIRST

# First of states, then of errors.
PERSONS: tuple[str, ...] = (
    *SENTENCES.values(),
    "start it, or name another server: PGHOST, PGPORT",
    BACK_FIRST,
    "asks for the password; PGPASSFILE is where it stands",
    "or ask upstream for one that is right",
    "tells both versions",
    "as an administrator",
    "mend the list: ",
    "or set LOADER_REPORT_DIR",
    "set the clock that is wrong, then the same command again",
)
