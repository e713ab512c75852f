"""Lines as the last reading of their files has them, each with its one fate: read by index, however large Bronze is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from loader.bounds import MAX_LINE_BYTES
from loader.trace.model import File, TracedLine
from loader.warehouse import fetch_rows

# Lateral, so that each look is about one line: the views behind them would be computed whole in a join.
_LINES = """
select line.asset_id, line.line_number, line.byte_offset, line.byte_length, line.kind, line.event_id::text,
    line.partition_key, line.ruleset_id, ruleset.ruleset_sha256,
    ruleset.components ->> 'facts_version' as facts_version,
    asset.record_kind, asset.source_fingerprint, asset.raw_zone_key, asset.content_encoding, asset.content_bytes,
    asset.declaration, coalesce(place.sequence, 0) as sequence, coalesce(entry.source_id, '') as source_id,
    coalesce(entry.manifest_id, '') as manifest_id, coalesce(entry.batch_id, '') as batch_id,
    erased.erasure_id::text, reject.reason_codes, reject.message,
    landed.asset_id as landed_asset_id, landed.line_number as landed_line_number,
    taken.partition_key is not null as is_taken
from bronze.asset_line as line
inner join ops.completed_load as load on load.load_id = line._dlt_load_id and load.table_name = 'asset_line'
inner join ops.source_asset as asset on asset.asset_id = line.asset_id
cross join lateral (
    select ruleset_id from ops.asset_index where asset_id = line.asset_id
    order by is_complete desc, ruleset_id desc limit 1
) as reading
inner join ops.ruleset as ruleset on ruleset.ruleset_id = line.ruleset_id
left join lateral (
    select sequence from ops.asset_place where asset_id = line.asset_id
) as place on true
left join lateral (
    select declared.source_id, declared.manifest_id, manifest.batch_id
    from ops.manifest_asset as declared
    left join ops.manifest as manifest on manifest.manifest_id = declared.manifest_id
    where declared.asset_id = line.asset_id order by declared.manifest_id, declared.source_id limit 1
) as entry on true
left join ops.erased_line as erased on erased.asset_id = line.asset_id and erased.line_number = line.line_number
left join lateral (
    select reason_codes, message from bronze.visible_reject as reject
    where reject.asset_id = line.asset_id and reject.line_number = line.line_number
        and reject.ruleset_id = line.ruleset_id
    limit 1
) as reject on true
left join lateral (
    select event.asset_id, event.line_number from bronze.visible_event as event
    where event.event_id = line.event_id order by event.asset_id, event.line_number limit 1
) as landed on true
left join lateral (
    select part.partition_key from ops.asset_partition as part
    where part.asset_id = line.asset_id and part.ruleset_id = line.ruleset_id
        and part.partition_key = line.partition_key and part.taken_by_run_id is not null
    limit 1
) as taken on true
where line.ruleset_id = reading.ruleset_id and {condition}
order by sequence, line.line_number, line.asset_id
"""


def lines_of_events(cursor: Any, event_ids: Sequence[str]) -> list[TracedLine]:
    """Every line that brings one of these events, in the order of deliveries."""
    query = _LINES.format(condition="line.event_id = any(%(events)s::uuid[]) and line.kind = 'record'")
    return [_traced(row) for row in fetch_rows(cursor, query, {"events": list(event_ids)})]


def line_at(cursor: Any, asset_id: int, number: int) -> TracedLine | None:
    query = _LINES.format(condition="line.asset_id = %(asset)s and line.line_number = %(number)s")
    found = fetch_rows(cursor, query, {"asset": asset_id, "number": number})
    return _traced(found[0]) if found else None


def fate_of(row: Mapping[str, Any]) -> str:
    """The one fate of a line: the first of these that is so (docs/decisions/0022, macros/reconcile/line_fates.sql)."""
    is_empty = row["kind"] == "blank" or row["byte_length"] > MAX_LINE_BYTES
    if row["erasure_id"] is not None and is_empty:
        return "erased"
    if row["kind"] == "blank":
        return "blank"
    if row["reason_codes"] is not None:
        return "rejected"
    if row["landed_asset_id"] is not None:
        is_first = (row["landed_asset_id"], row["landed_line_number"]) == (row["asset_id"], row["line_number"])
        return "landed" if is_first else "duplicate"
    return "out_of_partition" if row["kind"] == "record" and not row["is_taken"] else "gap"


def _traced(row: Mapping[str, Any]) -> TracedLine:
    file = File(**{name: row[name] for name in File.__dataclass_fields__})
    landed = None if row["landed_asset_id"] is None else (row["landed_asset_id"], row["landed_line_number"])
    return TracedLine(
        file,
        row["line_number"],
        row["byte_offset"],
        row["byte_length"],
        row["ruleset_id"],
        row["ruleset_sha256"],
        row["facts_version"],
        fate_of(row),
        row["event_id"],
        row["partition_key"],
        landed,
        row["erasure_id"],
        tuple(row["reason_codes"] or ()),
        row["message"],
    )
