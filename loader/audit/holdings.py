"""Does the warehouse still hold what the newest records say? Reads only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from loader.partition import Partition
from loader.printable import counted
from loader.release import ViewFault, digests, releases, unlike_released
from loader.warehouse import Warehouse, are_built, built, fetch_rows, released_kinds

# Rows of Bronze of each load that counts, beside what it was completed with.
_LOADS = """
select load.load_id, load.table_name, load.row_count::bigint as row_count,
    coalesce(held.row_count, 0)::bigint as held_count
from ops.completed_load as load
left join ops.load_content as held using (load_id, table_name)
where (load.row_count, load.row_digest) is distinct from (coalesce(held.row_count, 0), coalesce(held.row_digest, 0))
order by load.load_id, load.table_name
"""

# Each day as the warehouse holds it: lines and payloads of Bronze and rows of Silver counted now, the digest of Bronze
# as the last proof found it.
_TODAY = """
select proof.record_kind, proof.partition_key::text, coalesce(line.line_count, 0) as line_count,
    proof.bronze_digest::text, coalesce(measure.row_count, 0) as silver_row_count,
    coalesce(measure.content_digest, 0)::text as silver_digest,
    coalesce(event.forged_count, 0) as forged_count
from reconcile.reconcile_partition as proof
left join reconcile.silver_measure as measure using (record_kind, partition_key)
left join (
    select reading.record_kind, held.partition_key, count(*) as line_count
    from bronze.visible_line as held
    inner join ops.asset_reading as reading
        on reading.asset_id = held.asset_id and reading.ruleset_id = held.ruleset_id
    group by reading.record_kind, held.partition_key
) as line using (record_kind, partition_key)
left join (
    select record_kind, partition_key, count(*) as forged_count
    from bronze.record_event
    where sha256(convert_to(bronze.hash_domain(record_kind) || raw_payload, 'UTF8')) <> record_fingerprint
    group by record_kind, partition_key
) as event using (record_kind, partition_key)
"""

# What changed each day of a kind last, of what landed (the number of the event): its own lines and events, and those of
# records that have others in it.
_LANDED = """
with
brought as (
    select event.record_kind, event.record_key, event.partition_key, max(load.event_number) as event_number
    from bronze.record_event as event
    inner join ops.completed_load as load on load.load_id = event._dlt_load_id and load.table_name = 'record_event'
    group by event.record_kind, event.record_key, event.partition_key
),
changed as (
    select
        record_kind, partition_key, max(event_number) over (partition by record_kind, record_key) as event_number
    from brought
    union all
    select load.record_kind, line.partition_key, max(load.event_number)
    from bronze.asset_line as line
    inner join ops.completed_load as load on load.load_id = line._dlt_load_id and load.table_name = 'asset_line'
    where line.partition_key is not null
    group by load.record_kind, line.partition_key
)
select record_kind, partition_key::text, max(event_number) as event_number
from changed group by record_kind, partition_key
"""

# Kind and day.
Day = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that is not what it was, and what is wrong with it."""

    report_path: str
    fault: str


def faults_of_loads(cursor: Any) -> Iterator[Fault]:
    """Bronze's rows, counted and digested now, beside what their loads were completed with."""
    for row in fetch_rows(cursor, _LOADS, None):
        yield Fault(
            f"load {row['load_id']} of bronze.{row['table_name']}",
            f"it was completed with {counted(row['row_count'], 'row')}, Bronze holds {row['held_count']:,}"
            if row["row_count"] != row["held_count"]
            else "rows were edited since it was completed",
        )


def faults_of_counts(cursor: Any, days: Mapping[Day, tuple[str, dict[str, Any], int]]) -> Iterator[Fault]:
    tables = ("reconcile.reconcile_partition", "reconcile.silver_measure")
    if not days or not are_built(cursor, *tables):
        return
    cursor.execute("select coalesce(max(event_number), 0) from ops.erasure")
    (erased,) = cursor.fetchone()
    landed = {_day(row): row["event_number"] for row in fetch_rows(cursor, _LANDED, None)}
    today = {_day(row): row for row in fetch_rows(built(cursor), _TODAY, None)}
    for day, (report_path, record, number) in sorted(days.items(), key=lambda kept: kept[1][0]):
        # When something landed in a day since its record was written, or its run died, nobody has written a new record
        # yet; an erasure may have changed any. The record of a damaged day tells the damage, which a build may have
        # mended since.
        is_damaged = "reconcile_finding" in record["reason_codes"]
        if is_damaged or number < max(landed.get(day, 0), erased):
            continue
        said, now = record["reconcile"], today.get(day, {})
        for name in ("line_count", "silver_row_count", "bronze_digest", "silver_digest"):
            if str(said.get(name)) != str(now.get(name)):
                yield Fault(report_path, f"{name}: it says {said.get(name)}, the warehouse {now.get(name)}")
        if now.get("forged_count"):
            yield Fault(report_path, f"{counted(now['forged_count'], 'payload')} not of the event's fingerprint")


def _day(row: Mapping[str, Any]) -> Day:
    return row["record_kind"], row["partition_key"]


def faults_of_shown(cursor: Any, said: Mapping[Partition, tuple[str, int]]) -> Iterator[Fault]:
    """What readers see of each partition beside its newest record, and every version beside its own rows."""
    shown, kinds = releases.pointers(cursor), releases.known_kinds(cursor)
    for partition in sorted({*shown, *said}):
        name = partition.named(kinds)
        report_path, version = said.get(partition, (f"release.partition_pointer {name}", 0))
        if version != shown.get(partition, 0):
            yield Fault(report_path, f"{name}: it says version {version}, readers see {shown.get(partition)}")
    for partition, version, recorded, held in digests.unlike(cursor):
        yield Fault(
            f"release.partition_version {partition.named(kinds)} {version}",
            f"rows and digest: released {recorded[0]}, {recorded[1]}; now {held[0]}, {held[1]}",
        )
    for kind in released_kinds(cursor):
        for partition, count in sorted(digests.edited_rows(cursor, kind).items()):
            words = f"the content of {counted(count, 'row')} is not that of the digest"
            yield Fault(f"{kind.rows} {partition.day}", words)


def faults_of_sight(warehouse: Warehouse, view_faults: Sequence[ViewFault]) -> list[Fault]:
    """What readers look through (`view_faults`), and, where that is sound, what they see of each partition beside what
    was released, every row read and digested as they see it."""
    if view_faults:
        return [Fault(fault.relation, f"not as the project has it: {fault.fault}") for fault in view_faults]
    with closing(warehouse.connect(application_name="omnisupport-views")) as session, session.cursor() as cursor:
        served = {kind.record_kind: kind.served for kind in released_kinds(cursor)}
    return [
        Fault(
            f"{served[partition.record_kind]} {partition.day}",
            f"readers see {counted(seen, 'record')}, of its release's {released:,}, or others",
        )
        for partition, (seen, released) in unlike_released(warehouse).items()
    ]
