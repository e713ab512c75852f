"""Which archived assets a run must read, decided from what is indexed and taken already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from loader.bronze import AssetToRead
from loader.facts import Facts, FactsDefect, FactsReader
from loader.gate import GateReport, KnownFacts
from loader.kinds import asset_type_of
from loader.raw_zone import RawZone
from loader.runs import AssetAction, RegisteredAsset, known_facts

_STATE = """
select
    wanted.asset_id,
    coalesce(indexed.is_complete, false),
    exists (
        select from ops.asset_partition as part
        where part.asset_id = wanted.asset_id and part.ruleset_id = %(ruleset)s
            and part.record_line_count > 0 and part.taken_by_run_id is null
            and part.partition_key >= coalesce(%(start)s, '-infinity'::date)
            and part.partition_key < coalesce(%(end)s, 'infinity'::date)
    ),
    asset.content_bytes
from unnest(%(assets)s::int[]) as wanted (asset_id)
inner join ops.source_asset as asset on asset.asset_id = wanted.asset_id
left join ops.asset_index as indexed on indexed.asset_id = wanted.asset_id and indexed.ruleset_id = %(ruleset)s
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Assets are read that are not indexed under this ruleset, or have records in the window that are not taken;
    `is_read_again`: whatever is there already, and all rows are offered to Bronze once more; `only`: of these assets,
    the others count as unchanged; `facts`: what reads those of a file that is a record."""

    ruleset_id: int
    window: tuple[date, date] | None
    facts: str | None = None
    is_read_again: bool = False
    only: frozenset[int] | None = None


def plan_reading(
    cursor: Any, registered: Sequence[RegisteredAsset], raw_zone: RawZone, asked: Wanted
) -> tuple[list[AssetToRead], list[AssetAction]]:
    """Assets to read, each once and in manifest order, and the action recorded for every entry."""
    start, end = asked.window or (None, None)
    wanted = sorted({entry.asset_id for entry in registered if entry.asset_id is not None and entry.action == "parsed"})
    cursor.execute(_STATE, {"ruleset": asked.ruleset_id, "start": start, "end": end, "assets": wanted})
    state = {asset_id: found for asset_id, *found in cursor.fetchall()}
    facts = known_facts(cursor, asked.facts, [entry.source_fingerprint for entry in registered])
    to_read: dict[int, AssetToRead] = {}
    actions = []
    for entry in registered:
        action = entry.action
        if action == "parsed":
            assert entry.asset_id is not None and entry.raw_zone_key
            assert entry.content_encoding
            is_indexed, is_due, content_bytes = state[entry.asset_id]
            is_wanted = asked.is_read_again or is_due or not is_indexed
            if not is_wanted or (asked.only is not None and entry.asset_id not in asked.only):
                action = "unchanged"
            else:
                to_read[entry.asset_id] = AssetToRead(
                    entry.asset_id,
                    raw_zone.path_of(entry.raw_zone_key),
                    entry.content_encoding,
                    raw_zone.fingerprint_of(entry.raw_zone_key),
                    content_bytes,
                    is_indexed,
                    offers_lines=asked.is_read_again or not is_indexed,
                    declaration=entry.declaration,
                    facts=facts.get((entry.source_fingerprint or "", asset_type_of(entry.declaration))),
                )
        actions.append(
            AssetAction(
                entry.manifest_id,
                entry.source_id,
                entry.asset_id,
                action,
                entry.judgement,
                entry.reason_codes,
            )
        )
    return list(to_read.values()), actions


def facts_of_gate(reports: Sequence[GateReport]) -> KnownFacts:
    """What the gate read, or knew, of files that are records."""
    return {
        (judged.inspection.fingerprint, judged.asset.asset_type): judged.facts
        for report in reports
        for judged in report.assets
        if judged.inspection is not None and judged.facts is not None
    }


def with_facts(assets: Sequence[AssetToRead], facts: str | None) -> tuple[list[AssetToRead], KnownFacts]:
    """The assets, those whose facts nobody knows with what `facts` reads in their archived bytes; and what was read."""
    if facts is None:
        return list(assets), {}
    read: dict[tuple[str, str], Facts | FactsDefect] = {}
    known = []
    with FactsReader() as reader:
        for asset in assets:
            if asset.facts is None and not asset.is_erased:
                asset_type = asset_type_of(asset.declaration)
                found = reader.read(asset.path, facts, asset_type)
                read[asset.fingerprint, asset_type] = found
                asset = replace(asset, facts=found)
            known.append(asset)
    return known, read
