"""What a run says that it has read: each asset as the run left it, whoever indexed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from loader.facts import Facts, FactsDefect
from loader.kinds import Ruleset, asset_type_of
from loader.raw_zone import RawZone
from loader.runs import known_facts
from loader.warehouse import fetch_rows

if TYPE_CHECKING:
    from loader.bronze import AssetToRead

# Each asset as the run left it: the reading that counted when its landing ended, whoever made it. (One that was limited
# then, and whole later, is one reading.)
_CLAIMS = """
with landed as (
    select run_id, max(ruleset_id) as ruleset_id,
        max(event_number) filter (where jsonb_exists(stage_ended_at, 'landed')) as event_number
    from ops.ingest_run where run_id = %(run_id)s group by run_id
)
select distinct on (entry.asset_id)
    entry.asset_id, indexed.ruleset_id, ruleset.ruleset_sha256, indexed.indexed_line_count,
    ruleset.components ->> 'facts_version' as facts_version,
    asset.source_fingerprint, asset.raw_zone_key, asset.content_encoding, asset.content_bytes, asset.declaration
from landed
inner join ops.run_asset as entry on entry.run_id = landed.run_id and entry.action in ('parsed', 'unchanged')
inner join ops.source_asset as asset on asset.asset_id = entry.asset_id
left join ops.asset_index as indexed
    on indexed.asset_id = entry.asset_id
    and (indexed.ruleset_id = landed.ruleset_id or exists (
        select from ops.ingest_run as reader
        where reader.run_id = indexed.run_id and reader.attempt = indexed.attempt
            and reader.event_number <= landed.event_number))
left join ops.ruleset as ruleset on ruleset.ruleset_id = indexed.ruleset_id
where landed.event_number is not null
order by entry.asset_id, indexed.is_complete desc nulls last, indexed.ruleset_id desc
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """An asset as a run says that it has been indexed; `is_judged` false: under an older ruleset, whose judge is gone;
    `line_count`: how many of its lines, if not all."""

    asset: AssetToRead
    ruleset_id: int
    is_judged: bool
    line_count: int | None = None


def read_claims(cursor: Any, raw_zone: RawZone, ruleset: Ruleset, run_id: str) -> tuple[list[Claim], list[int]]:
    """What a run claims of its assets, and the assets of which nothing can be claimed."""
    # With Arrow: a tenth of a second and more, for which who compares a single line does not wait.
    from loader.bronze import AssetToRead

    cursor.execute("select max(line_limit) from ops.ingest_run where run_id = %s", (run_id,))
    (line_limit,) = cursor.fetchone()
    rows = fetch_rows(cursor, _CLAIMS, {"run_id": run_id})
    claims = [
        Claim(
            AssetToRead(
                row["asset_id"],
                raw_zone.path_of(row["raw_zone_key"]),
                row["content_encoding"],
                raw_zone.fingerprint_of(row["raw_zone_key"]),
                row["content_bytes"],
                is_indexed=True,
                offers_lines=False,
                declaration=row["declaration"],
                facts=_facts_then(cursor, ruleset, row),
            ),
            row["ruleset_id"],
            row["ruleset_sha256"] == ruleset.sha256,
            None if line_limit is None else min(line_limit, row["indexed_line_count"]),
        )
        for row in rows
        if row["ruleset_id"] is not None
    ]
    return claims, [row["asset_id"] for row in rows if row["ruleset_id"] is None]


def _facts_then(cursor: Any, ruleset: Ruleset, row: Mapping[str, Any]) -> Facts | FactsDefect | None:
    """What was kept of a file that is a record when an older version of its facts was read; today's are read again."""
    if row["facts_version"] is None or row["ruleset_sha256"] == ruleset.sha256:
        return None
    fingerprint = row["source_fingerprint"]
    known = known_facts(cursor, ruleset.landing.facts, [fingerprint], row["facts_version"])
    return known.get((fingerprint, asset_type_of(row["declaration"])))


def window_of_run(cursor: Any, run_id: str) -> tuple[date, date] | None:
    cursor.execute(
        "select window_start, window_end from ops.ingest_run where run_id = %s order by attempt limit 1", (run_id,)
    )
    start, end = cursor.fetchone()
    return None if start is None else (start, end)
