"""What the database says about the manifest entries of one attempt, read after reconcile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.warehouse import built, fetch_rows


@dataclass(frozen=True, slots=True)
class AssetFacts:
    """A manifest entry in this attempt. Counts are lines; all zero unless it was admitted. They are those over which
    the share of rejects is limited: where the file `is_record`, of all such files of its kind and day.

    `is_in_window`: some line of it belongs to the run's window, or none of its lines has a readable day.
    `is_covering`: its manifest may hold lines of the window.
    """

    manifest_id: str
    source_id: str
    asset_id: int | None
    source_fingerprint: str | None
    action: str
    judgement: str
    reason_codes: tuple[str, ...]
    record_count: int
    rejected_count: int
    has_rejects: bool
    is_record: bool
    is_in_window: bool
    is_covering: bool
    # In words, of the line that was rejected first; what it says is usually true of the whole file.
    first_reject: str | None = None
    # Where the gate found it.
    found_path: str | None = None


_ASSETS = """
select
    entry.manifest_id, entry.source_id, entry.asset_id, asset.source_fingerprint, entry.action, entry.judgement,
    entry.reason_codes, declared.found_path,
    coalesce(proof.limited_record_count, 0)::bigint as record_count,
    coalesce(proof.limited_rejected_count, 0)::bigint as rejected_count,
    coalesce(proof.rejected_count, 0) > 0 as has_rejects,
    coalesce(proof.is_record, false) as is_record,
    %(start)s::date is null
        or coalesce(proof.record_line_count, 0) = 0
        or exists (
            select from ops.asset_partition as part
            where part.asset_id = entry.asset_id and part.partition_key >= %(start)s and part.partition_key < %(end)s
        ) as is_in_window,
    %(start)s::date is null
        or manifest.window_field is distinct from 'created_at'
        or (manifest.window_start < %(end)s::timestamp at time zone 'UTC'
            and manifest.window_end > %(start)s::timestamp at time zone 'UTC') as is_covering
from ops.run_asset as entry
inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id
left join ops.manifest_asset as declared
    on declared.manifest_id = entry.manifest_id and declared.source_id = entry.source_id
left join ops.source_asset as asset on asset.asset_id = entry.asset_id
left join reconcile.reconcile_asset as proof on proof.asset_id = entry.asset_id
where entry.run_id = %(run_id)s and entry.attempt = %(attempt)s
order by entry.manifest_id, entry.source_id
"""


def read_assets(cursor: Any, key: tuple[str, int], start: date | None, end: date | None) -> tuple[AssetFacts, ...]:
    rows = fetch_rows(built(cursor), _ASSETS, {"run_id": key[0], "attempt": key[1], "start": start, "end": end})
    first = _first_rejects(cursor, [row["asset_id"] for row in rows if row["has_rejects"]])
    return tuple(
        AssetFacts(
            **{**row, "reason_codes": tuple(row["reason_codes"]), "first_reject": first.get(row["asset_id"])},
        )
        for row in rows
    )


_FIRST_REJECTS = """
select asset.asset_id, reject.line_number, reject.reason_codes, reject.message
from unnest(%s::int []) as asset (asset_id)
inner join ops.asset_reading as reading on reading.asset_id = asset.asset_id
cross join lateral (
    select line_number, reason_codes, message from bronze.rejected_record as reject
    where reject.asset_id = asset.asset_id and reject.ruleset_id = reading.ruleset_id
    order by line_number limit 1
) as reject
"""


def _first_rejects(cursor: Any, asset_ids: Sequence[int]) -> dict[int, str]:
    if not asset_ids:
        return {}
    cursor.execute(_FIRST_REJECTS, (list(asset_ids),))
    return {asset_id: reject_in_words(*reject) for asset_id, *reject in cursor.fetchall()}


def reject_in_words(line_number: int, reason_codes: Sequence[str], message: str) -> str:
    """A reject as people read it."""
    return f"line {line_number}: {', '.join(reason_codes)}: {message.removeprefix('$: ')}"
