"""What is left when no command ends it: the committed sentences that name what a person decides or delivers."""

from __future__ import annotations

# Of errors.
PERSONS: tuple[str, ...] = (
    "start it, or name another server: PGHOST, PGPORT",
    "or ask upstream for one that is right",
    "tells both versions",
    "as an administrator",
    "mend the list: ",
)
