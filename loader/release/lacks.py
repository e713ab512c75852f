"""What keeps a day from being whole: the counts of reconcile that must be 0, in the words of the gate, of status, of an
ingest and of the reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loader.printable import counted


@dataclass(frozen=True, slots=True)
class Lack:
    """`column` of reconcile_partition; what is said after the number 1, and after any other."""

    column: str
    one: str
    several: str

    def words(self, count: int) -> str:
        return counted(count, self.one, self.several)

    def is_said_in(self, obstacle: str) -> bool:
        return obstacle.endswith((self.one, self.several))


COLLIDED = Lack(
    "collided_count", "event has the key of another source's record", "events have keys of another source's records"
)
# A file is counted once on each day that it may reach.
LACKS = (
    Lack("unexplained_count", "line or event that nothing explains", "lines or events that nothing explains"),
    Lack("withheld_asset_count", "file is withheld", "files are withheld"),
    Lack("missing_asset_count", "file is missing", "files are missing"),
    Lack("not_read_asset_count", "file is not read whole", "files are not read whole"),
    Lack("out_of_partition_count", "line is not taken yet", "lines are not taken yet"),
    COLLIDED,
    Lack("pending_count", "event waits for Silver", "events wait for Silver"),
)


def lacks_of(row: Mapping[str, Any]) -> list[str]:
    """Of a row of reconcile_partition, or of what is known of one."""
    return [lack.words(count) for lack in LACKS if (count := int(row.get(lack.column) or 0))]
