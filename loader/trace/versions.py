"""The versions of a record: its events in Bronze, the lines that bring each, and the runs and records that tell of
it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from loader.trace.lines import lines_of_events
from loader.trace.model import Link, LinkName, TracedLine, Version
from loader.warehouse import are_built, built, fetch_rows

# The three things that its own row says of it and SQL can compute again: what its fingerprint is of, what its id is of,
# and its day.
_EVENTS = """
select event.event_id::text, encode(event.record_fingerprint, 'hex') as record_fingerprint, event.record_source,
    event.created_at, event.updated_at, event.partition_key, event.asset_id, event.line_number, event.run_id::text,
    event._dlt_load_id as load_id, load.attempt, run.trace_id,
    sha256(convert_to(bronze.hash_domain(event.record_kind) || event.raw_payload, 'UTF8')) = event.record_fingerprint
        as is_authentic,
    uuid_send(event.event_id) = substr(event.record_fingerprint, 1, 16) as is_named_by_it,
    event.partition_key = (event.created_at at time zone 'UTC')::date as is_of_its_day,
    asset.source_fingerprint, origin.manifest_id, manifest.batch_id
from bronze.record_event as event
inner join ops.completed_load as load on load.load_id = event._dlt_load_id and load.table_name = 'record_event'
left join ops.ingest_run as run on run.run_id = load.run_id and run.attempt = load.attempt
left join ops.source_asset as asset on asset.asset_id = event.asset_id
left join lateral (
    select min(entry.manifest_id) as manifest_id from ops.run_asset as entry
    where entry.run_id = event.run_id and entry.asset_id = event.asset_id
) as origin on true
left join ops.manifest as manifest on manifest.manifest_id = origin.manifest_id
where event.record_key = %(key)s and event.record_kind = %(kind)s
order by event.event_id
"""
_BUILT = """
select array(select load_id from silver.built_load where load_id = any(%(loads)s)),
    (
        select coalesce(json_object_agg(asset_id, sequence), '{}')
        from silver.built_asset where asset_id = any(%(assets)s)
    )
"""
# The newest asset that Silver holds of what the record is of.
_NEWEST = """
select event.asset_id
from bronze.record_event as event
inner join silver.built_load as load on load.load_id = event._dlt_load_id
inner join silver.built_asset as place on place.asset_id = event.asset_id
where event.record_kind = %(kind)s and bronze.whole_of(event.record_key) = bronze.whole_of(%(key)s)
    and exists (
        select from bronze.asset_line as line
        where line.event_id = event.event_id and line.asset_id = place.asset_id and line.ruleset_id = place.ruleset_id
    )
order by coalesce(event.updated_at, event.created_at) desc, place.sequence desc, event.event_id desc limit 1
"""
_EVIDENCE = """
select evidence_id, run_id::text, attempt, report_path from ops.run_evidence
where run_id = any(%(runs)s::uuid[]) and attempt is not null and dataset <> 'release/partition_pointer'
order by evidence_id
"""


def read_versions(
    cursor: Any, record_kind: str, key: str, *, is_whole: bool = False
) -> tuple[list[Version], dict[str, int], list[Link]]:
    """The versions, not ranked yet; the evidence of each day's run, by its path; and the links of their own rows.
    `is_whole`: an asset of the kind counts whole, and versions of one that a newer one replaces are told."""
    events = fetch_rows(cursor, _EVENTS, {"key": key, "kind": record_kind})
    lines: dict[str, list[TracedLine]] = {}
    for line in lines_of_events(cursor, [event["event_id"] for event in events]):
        lines.setdefault(line.event_id or "", []).append(line)
    loads, sequences = _built(cursor, events, [line for each in lines.values() for line in each])
    records = _records(cursor, sorted({event["run_id"] for event in events}))
    versions = [
        _version(event, _placed(lines.get(event["event_id"], ()), sequences), event["load_id"] in loads, records)
        for event in events
    ]
    if is_whole:
        newest = _newest(cursor, record_kind, key)
        versions = [replace(each, fate="replaced") if _is_replaced(each, newest) else each for each in versions]
    evidence = {each.evidence: number for each in versions for number, path in records if path == each.evidence}
    return versions, {path: number for path, number in evidence.items() if path}, [*_links(events)]


def _newest(cursor: Any, record_kind: str, key: str) -> int | None:
    if not are_built(cursor, "silver.built_load", "silver.built_asset"):
        return None
    with built(cursor) as there:
        there.execute(_NEWEST, {"kind": record_kind, "key": key})
        found = there.fetchone()
    return None if found is None else int(found[0])


def _is_replaced(version: Version, newest: int | None) -> bool:
    return version.fate != "waiting" and version.line is not None and version.line.file.asset_id != newest


def _built(
    cursor: Any, events: Sequence[Mapping[str, Any]], lines: Sequence[TracedLine]
) -> tuple[set[str], dict[int, int]]:
    """The loads that Silver holds, and the place of each file as it was when it was built."""
    if not are_built(cursor, "silver.built_load", "silver.built_asset"):
        return set(), {}
    asked = {
        "loads": [event["load_id"] for event in events],
        "assets": sorted({line.file.asset_id for line in lines}),
    }
    with built(cursor) as there:
        there.execute(_BUILT, asked)
        loads, sequences = there.fetchone()
    return set(loads), {int(asset): sequence for asset, sequence in sequences.items()}


def _placed(lines: Sequence[TracedLine], sequences: Mapping[int, int]) -> list[TracedLine]:
    """In the order of deliveries as Silver knows it."""
    placed = [
        replace(line, file=replace(line.file, sequence=sequences.get(line.file.asset_id, line.file.sequence)))
        for line in lines
    ]
    return sorted(placed, key=lambda line: (line.file.sequence, line.number, line.file.asset_id))


def _records(cursor: Any, run_ids: Sequence[str]) -> list[tuple[int, str]]:
    return [(row["evidence_id"], row["report_path"]) for row in fetch_rows(cursor, _EVIDENCE, {"runs": run_ids})]


def _version(
    event: Mapping[str, Any], lines: Sequence[TracedLine], is_built: bool, records: Sequence[tuple[int, str]]
) -> Version:
    attempt = f"/{event['run_id']}.{event['attempt']}"
    of_attempt = [path for _, path in records if attempt in path]
    of_day = [path for path in of_attempt if f"/{event['partition_key']}/" in path]
    of_run = [path for path in of_attempt if "/_run/" in path]
    return Version(
        event["event_id"],
        event["record_fingerprint"],
        event["record_source"],
        event["partition_key"],
        event["created_at"],
        event["updated_at"],
        event["manifest_id"],
        event["batch_id"],
        event["run_id"],
        event["attempt"],
        event["trace_id"],
        event["source_fingerprint"],
        next(reversed(of_day or of_run), None),
        lines[0] if lines else None,
        tuple(lines[1:]),
        "superseded" if is_built else "waiting",
    )


def _links(events: Sequence[Mapping[str, Any]]) -> Iterator[Link]:
    for event in events:
        faults = [
            words
            for name, words in (
                ("is_authentic", "its payload is not that of its fingerprint"),
                ("is_named_by_it", "its id is not that of its fingerprint"),
                ("is_of_its_day", "its day is not that of its instant"),
            )
            if not event[name]
        ]
        yield Link(LinkName.RECORD, f"event {event['event_id']}", "; ".join(faults) or None, asset_id=event["asset_id"])
