"""Why a partition may not move: a closed list of codes, the facts each is said from, and what it says and asks for.

What reconcile counts of a day stands in its own table (`obstacles` of reconcile_partition); what only the gate knows it
adds, and stores both in release.partition_gate; what is so now beside that, serving.kind_partition_status adds. Nobody
else judges a day, and nobody decides by words.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, NamedTuple, Self

from loader.partition import Partition, variables_of
from loader.printable import counted


class Code(StrEnum):
    """Where contracts/reason_codes.json has a word for the same, it is that word."""

    # What reconcile_partition counts of the day itself, in this order.
    UNEXPLAINED = "unexplained_gap"
    WITHHELD = "asset_withheld"
    MISSING = "asset_missing"
    NOT_READ = "asset_not_read"
    UNASKED = "lines_unasked"
    NOT_TAKEN = "lines_not_taken"
    COLLIDED = "key_collision"
    PENDING = "events_pending"
    LINK_MISSING = "link_missing"
    CONTENT_DIFFERS = "content_differs"
    # What was proved, and what a person may let pass.
    FINDING = "reconcile_finding"
    LEFT_OPEN = "left_open"
    NOT_PROVED = "not_proved"
    CHANGED_SINCE_PROOF = "changed_since_proof"
    RUN_FAILED = "run_failed"
    TOO_MANY_REJECTS = "reject_limit_exceeded"
    DRIFT = "drift"
    # What concerns the act, whatever the checks of the day say.
    NOT_ASKED_FOR = "not_asked_for"
    HELD = "held"
    UNKNOWN = "unknown_partition"
    NOTHING_TO_RELEASE = "nothing_to_release"
    # What readers see now: serving.kind_partition_status says these in its own words.
    NOT_RELEASED = "not_released"
    RESTORED = "restored"
    WAITING = "waiting"
    SILVER_CHANGED = "silver_changed"
    BRONZE_CHANGED = "bronze_changed"
    LANDED_SINCE = "landed_since"
    # What is seen through the views of serving.
    VIEW_DIFFERS = "view_differs"
    RELEASE_DIFFERS = "release_differs"


# A day with one of these is not whole.
OF_DAY = frozenset(list(Code)[: list(Code).index(Code.CONTENT_DIFFERS) + 1])
# Their count is of files.
OF_FILES = frozenset({Code.WITHHELD, Code.MISSING, Code.NOT_READ})


class _Meaning(NamedTuple):
    """What is said of one, of another number, nothing where SQL says it; the command that ends it, or where it takes
    more to know which, the triage."""

    one: str = ""
    several: str = ""
    asks: str = "make diagnose"


_BUILD = "make build"
_RELEASE = "make release {days}"
# A file is counted once on each day that it may reach.
_MEANINGS: Mapping[str, _Meaning] = {
    Code.UNEXPLAINED: _Meaning("line or event that nothing explains", "lines or events that nothing explains"),
    Code.WITHHELD: _Meaning("file is withheld", "files are withheld"),
    Code.MISSING: _Meaning("file is missing", "files are missing"),
    Code.NOT_READ: _Meaning("file is not read whole", "files are not read whole"),
    Code.UNASKED: _Meaning("line is not taken yet", "lines are not taken yet"),
    Code.NOT_TAKEN: _Meaning("line is not taken yet", "lines are not taken yet"),
    Code.COLLIDED: _Meaning(
        "event has the key of another source's record",
        "events have keys of another source's records",
        "make status PARTITION={day}",
    ),
    Code.PENDING: _Meaning("event waits for Silver", "events wait for Silver", _BUILD),
    Code.LINK_MISSING: _Meaning(
        "record waits for one that it names",
        "records wait for others that they name",
        "make status PARTITION={day}",
    ),
    Code.CONTENT_DIFFERS: _Meaning("Silver's content is not Bronze's"),
    Code.FINDING: _Meaning("{names}: {rows} of {table}"),
    Code.LEFT_OPEN: _Meaning("reconcile has found something"),
    Code.NOT_PROVED: _Meaning("the proof did not close", asks=_BUILD),
    Code.CHANGED_SINCE_PROOF: _Meaning("Silver changed after it was proved", asks=_BUILD),
    Code.RUN_FAILED: _Meaning("the run failed: {names}"),
    Code.TOO_MANY_REJECTS: _Meaning(
        "too many rejects in {names}", asks="make release {days} ACCEPT_REJECTS=1 REASON='<why>'"
    ),
    Code.DRIFT: _Meaning("drift to review: {names}", asks="make release {days} ACCEPT_DRIFT=1 REASON='<why>'"),
    Code.NOT_ASKED_FOR: _Meaning("was not asked for"),
    Code.HELD: _Meaning("held", asks=_RELEASE),
    Code.UNKNOWN: _Meaning("no line of it is known", asks="make status"),
    Code.NOTHING_TO_RELEASE: _Meaning("shares a moved record and has nothing to release"),
    # Something else is the reason, or nothing is any more.
    Code.NOT_RELEASED: _Meaning(),
    Code.RESTORED: _Meaning(asks=_RELEASE),
    Code.WAITING: _Meaning(),
    Code.SILVER_CHANGED: _Meaning(asks=_BUILD),
    Code.BRONZE_CHANGED: _Meaning(asks=_BUILD),
    Code.LANDED_SINCE: _Meaning(asks=_BUILD),
    Code.VIEW_DIFFERS: _Meaning("{names}", asks="make build SELECT=serving"),
    Code.RELEASE_DIFFERS: _Meaning("{names}", asks="make verify EVIDENCE=1"),
}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """`count`, `names`, `table_name`: of files, checks, rows, as far as the code needs them."""

    code: str
    count: int = 0
    names: tuple[str, ...] = ()
    table_name: str = ""

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Self:
        """Read what as_record wrote, or what SQL says of a day. A code of another version of the project stays one."""
        return cls(
            record["code"], int(record.get("count", 0)), tuple(record.get("names", ())), record.get("table_name", "")
        )

    @property
    def message(self) -> str:
        meaning = _MEANINGS.get(self.code, _Meaning())
        if meaning.several:
            return counted(self.count, meaning.one, meaning.several)
        facts = {"names": ", ".join(self.names), "rows": counted(self.count, "row"), "table": self.table_name}
        return meaning.one.format(**facts) or self.code

    def next_command(self, partitions: Sequence[Partition], kinds: Collection[str]) -> str:
        """What ends it for these partitions, which move together. `kinds`: those that the warehouse knows."""
        return _next_command(self.code, partitions, kinds)

    def as_record(self) -> dict[str, Any]:
        """JSON-ready values: the code, its facts, and what they say."""
        facts = {"count": self.count, "names": list(self.names), "table_name": self.table_name}
        return {"code": str(self.code), **{name: fact for name, fact in facts.items() if fact}, "message": self.message}


def told(records: Iterable[Mapping[str, Any]], partition: Partition, kinds: Collection[str]) -> list[dict[str, Any]]:
    """Obstacles of a partition as programs read them: each record with its next command, and where SQL has not said it,
    its message."""
    return [
        {
            **(record if "message" in record else Obstacle.read(record).as_record()),
            "next_command": _next_command(record["code"], [partition], kinds),
        }
        for record in records
    ]


def _next_command(code: str, partitions: Sequence[Partition], kinds: Collection[str]) -> str:
    return _MEANINGS.get(code, _Meaning()).asks.format(days=variables_of(partitions, kinds), day=partitions[0].day)


def obstacles_of(row: Mapping[str, Any]) -> list[Obstacle]:
    """Read from a row of reconcile_partition; none where nothing is known of the day."""
    return [Obstacle.read(record) for record in row.get("obstacles", ())]


# Among fewer files that are records, one reject says nothing of the others.
_FILES_TO_COUNT = 20


def exceeds(reject_limit: float, record_count: int, rejected_count: int, *, are_files: bool = False) -> bool:
    """Whether more of a file's lines that are not blank are rejected than policy allows; all of them is always too
    many. `are_files`: the counts are of files that are records each, of one kind and day: below 20 of them, one may be
    rejected. Exact: 29 of 100 lines are not more than 0.29, whatever a float makes of it."""
    if are_files and rejected_count == 1 and record_count + rejected_count < _FILES_TO_COUNT:
        return False
    if rejected_count == 0 or record_count == 0:
        return rejected_count > 0
    return rejected_count > Fraction(str(reject_limit)) * (record_count + rejected_count)
