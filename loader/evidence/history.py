"""What happened: each run and each act on what readers see, in the order of the chain of evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from loader.errors import CommandUsageError
from loader.evidence.acts import ASSET_KEY
from loader.partition import Partition
from loader.warehouse import fetch_rows

_NEWEST = "select coalesce(max(evidence_id), 0) from ops.run_evidence"

# A run has a record for each of its days, and the last is of the run itself. The first run's kind is that of all
# records from before there were several kinds, which say none.
_ENTRIES = """
select record.evidence_id, record.dataset, record.run_id::text, record.attempt, record.report_path, record.written_at,
    convert_from(record.content, 'UTF8')::jsonb as said, first_kind.record_kind as first_kind
from ops.run_evidence as record
left join (
    select kind.record_kind
    from ops.run_evidence as first
    inner join release.released_kind as kind on first.dataset = 'bronze/' || kind.bronze_table
    order by first.evidence_id limit 1
) as first_kind on true
where record.evidence_id > %(after)s
    and (record.dataset = %(acts)s or not exists (
        select from ops.run_evidence as later
        where later.run_id = record.run_id and later.attempt = record.attempt and later.dataset = record.dataset
            and later.evidence_id > record.evidence_id
    ))
order by record.evidence_id {order} limit %(limit)s
"""
_DAYS = """
select run_id::text, attempt, array_agg(distinct partition_key::date) as days
from (
    select run_id, attempt, convert_from(content, 'UTF8')::jsonb ->> 'partition_key' as partition_key
    from ops.run_evidence
    where run_id = any(%(runs)s::uuid[]) and dataset <> %(acts)s
) as record
where partition_key is not null
group by run_id, attempt
"""
# Where the record of an act lists partitions.
_LISTS = ("pointers", "holds", "accepted")


@dataclass(frozen=True, slots=True)
class Event:
    """A run that ended, or an act. `number` grows from record to record, and an event that comes later has a greater
    one; `verb`: ingest, a recovery verb, erase, or an act (publish, override, restore, hold, free, accept, expire);
    `partitions`: those that a run judged, or that an act moved; `written_at`: UTC, as the server's clock said."""

    number: int
    written_at: datetime
    verb: str
    status: str
    decision: str | None
    partitions: tuple[Partition, ...]
    run_id: str | None
    data_release_id: int | None
    operator: str | None
    reason: str | None
    report_path: str

    def as_record(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "number": self.number,
            "written_at": self.written_at.isoformat(),
            "verb": self.verb,
            "status": self.status,
            "downstream_decision": self.decision,
            "partitions": [each.as_record() for each in self.partitions],
            "run_id": self.run_id,
            "data_release_id": self.data_release_id,
            "operator": self.operator,
            "reason": self.reason,
            "report_path": self.report_path,
        }


@dataclass(frozen=True, slots=True)
class History:
    """`newest`: the number of the newest record, of an event or not, to go on from when all is read."""

    events: tuple[Event, ...]
    newest: int
    is_more: bool

    @property
    def last(self) -> int:
        """Where to go on: everything up to it is in what was read."""
        return self.events[-1].number if self.is_more else self.newest


def read_history(cursor: Any, after: int | None, limit: int) -> History:
    """The first `limit` events after a number, or without one the newest, oldest first; `cursor` is in one snapshot.

    Raises CommandUsageError where the number is none that was given: the warehouse is not the one that it is of, or was
    put back to an earlier state.
    """
    cursor.execute(_NEWEST)
    (newest,) = cursor.fetchone()
    if after is not None and after > newest:
        raise CommandUsageError(
            f"--after: got {after}, but the newest record is {newest}: the warehouse was put back to an earlier state,"
            " or it is another one; what is known of it has to be read anew",
            next_command="make history AFTER=0",
        )
    parameters = {"after": after or 0, "acts": ASSET_KEY, "limit": limit + 1}
    order = "desc" if after is None else "asc"
    found = fetch_rows(cursor, _ENTRIES.format(order=order), parameters)
    is_more = len(found) > limit and after is not None
    kept = found[:limit] if after is not None else found[:limit][::-1]
    runs = [row["run_id"] for row in kept if row["dataset"] != ASSET_KEY]
    days = {
        (row["run_id"], row["attempt"]): row["days"]
        for row in fetch_rows(cursor, _DAYS, {"runs": runs, "acts": ASSET_KEY})
    }
    return History(tuple(_event(row, days) for row in kept), newest, is_more)


def _event(row: Mapping[str, Any], days: Mapping[tuple[str, int], Sequence[date]]) -> Event:
    said = row["said"]
    is_act = row["dataset"] == ASSET_KEY
    return Event(
        number=row["evidence_id"],
        written_at=row["written_at"],
        verb=said["act"] if is_act else said["mode"],
        status="success" if is_act else said["status"],
        decision=said.get("downstream_decision"),
        partitions=tuple(sorted(_partitions(row, days.get((row["run_id"], row["attempt"]), ())))),
        run_id=row["run_id"],
        data_release_id=said.get("data_release_id"),
        operator=said.get("operator"),
        reason=said.get("reason"),
        report_path=row["report_path"],
    )


def _partitions(row: Mapping[str, Any], days: Sequence[date]) -> set[Partition]:
    said = row["said"]
    listed = [each for name in _LISTS for each in said.get(name, ())]
    listed += [*said.get("expired", {}).get("versions", ()), *said.get("released_versions", ())]
    moved = {_partition(each, row["first_kind"]) for each in listed}
    return moved | {Partition(said.get("record_kind", row["first_kind"]), day) for day in days}


def _partition(row: Mapping[str, Any], first_kind: str) -> Partition:
    return Partition(row.get("record_kind", first_kind), date.fromisoformat(row["partition_key"]))
