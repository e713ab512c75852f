"""What today's ruleset made of lines that were read before: old readings and new ones, Bronze and the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

from loader.bronze import AssetToRead
from loader.errors import CheckFailedError
from loader.ingest import Workplace
from loader.printable import counted
from loader.progress import Meter
from loader.raw_zone import RawZone, require_objects
from loader.runs import RegisteredAsset
from loader.verify import Claim, verify_assets
from loader.warehouse import fetch_rows

# How the kind and the reasons of a window's lines went from one ruleset to another; a line that stayed as it was has no
# row, a line without a day belongs to every window.
_CHANGES = """
select
    old.kind as old_kind, new.kind as new_kind,
    coalesce(array_to_string(old_reject.reason_codes, ', '), '') as old_reasons,
    coalesce(array_to_string(new_reject.reason_codes, ', '), '') as new_reasons,
    count(*) as line_count
from unnest(%(assets)s::int[], %(rulesets)s::int[]) as was (asset_id, ruleset_id)
inner join bronze.asset_line as old on old.asset_id = was.asset_id and old.ruleset_id = was.ruleset_id
inner join bronze.asset_line as new
    on new.asset_id = old.asset_id and new.line_number = old.line_number and new.ruleset_id = %(ruleset)s
left join bronze.rejected_record as old_reject
    on old_reject.asset_id = old.asset_id and old_reject.line_number = old.line_number
        and old_reject.ruleset_id = old.ruleset_id
left join bronze.rejected_record as new_reject
    on new_reject.asset_id = new.asset_id and new_reject.line_number = new.line_number
        and new_reject.ruleset_id = new.ruleset_id
where (old.kind, old.event_id, old_reject.reason_codes)
    is distinct from (new.kind, new.event_id, new_reject.reason_codes)
    and coalesce(new.partition_key, old.partition_key, %(start)s) >= %(start)s
    and coalesce(new.partition_key, old.partition_key, %(start)s) < %(end)s
group by 1, 2, 3, 4 order by line_count desc, 1, 2, 3, 4
"""


@dataclass(frozen=True, slots=True)
class Changes:
    """What today's ruleset made of lines that were read before; counts are lines.

    `transitions`: (kind and reasons before, kind and reasons now, lines). `compared_line_count`: lines of assets that
    were indexed under this ruleset already, read again and compared one by one; `differing`: those that differ.
    """

    transitions: tuple[Mapping[str, Any], ...]
    compared_line_count: int
    differing: Mapping[str, int]

    @property
    def changed_count(self) -> int:
        return sum(int(change["line_count"]) for change in self.transitions) + sum(self.differing.values())

    def count(self, old_kind: str, new_kind: str) -> int:
        return sum(
            int(change["line_count"])
            for change in self.transitions
            if (change["old_kind"], change["new_kind"]) == (old_kind, new_kind)
        )

    @property
    def sentence(self) -> str:
        return (
            f"{self.changed_count} changed: {self.count('rejected', 'record')} newly valid,"
            f" {self.count('record', 'rejected')} newly rejected; {counted(self.compared_line_count, 'line')} compared"
            " one by one"
        )

    def as_record(self) -> dict[str, Any]:
        """JSON-ready values."""
        return {
            "changed_line_count": self.changed_count,
            "newly_valid_count": self.count("rejected", "record"),
            "newly_rejected_count": self.count("record", "rejected"),
            "transitions": [dict(change) for change in self.transitions],
            "compared_line_count": self.compared_line_count,
            "differing": dict(self.differing),
        }


def compare(
    work: Workplace,
    entries: Sequence[RegisteredAsset],
    before: Mapping[int, int],
    ruleset_id: int,
    window: tuple[date, date] | None,
) -> Changes:
    """Assets read under a ruleset that is new to them are compared with their old reading, in SQL; the others with the
    archive, by reading them again. `before`: the ruleset of each asset's reading before.

    Raises CheckFailedError where the archive does not give their bytes; what was landed stays.
    """
    ours = {entry.asset_id for entry in entries}
    anew = {asset_id: old for asset_id, old in before.items() if old != ruleset_id and asset_id in ours}
    known = [entry for entry in entries if before.get(entry.asset_id or 0) == ruleset_id]
    with work.lock.transaction() as cursor:
        transitions = _transitions(cursor, anew, ruleset_id, window)
        claims = _claims(cursor, RawZone(work.settings.raw_zone), known, ruleset_id)
    meter = Meter(work.report, "compare", "bytes", sum(claim.asset.content_bytes for claim in claims))
    with closing(work.warehouse.connect(application_name="omnisupport-verify")) as connection:
        found = verify_assets(
            connection,
            work.ruleset,
            claims,
            window,
            lambda lines, content_bytes: meter.add(content_bytes, lines),
        )
    if found.unreadable:
        keys = [entry.raw_zone_key for entry in entries if entry.asset_id in found.unreadable and entry.raw_zone_key]
        with work.lock.transaction() as cursor:
            require_objects(cursor, work.settings, keys, are_read=True)
        raise CheckFailedError(
            "the raw zone does not give "
            + "; ".join(f"asset {asset_id}: {reason}" for asset_id, reason in list(found.unreadable.items())[:3])
            + ". What was landed stays.",
            next_command="make diagnose",
        )
    return Changes(tuple(transitions), found.line_count, dict(found.differences))


def _transitions(
    cursor: Any, before: Mapping[int, int], ruleset_id: int, window: tuple[date, date] | None
) -> list[dict[str, Any]]:
    start, end = window or (date.min, date.max)
    readings = {"assets": list(before), "rulesets": list(before.values()), "ruleset": ruleset_id}
    return fetch_rows(cursor, _CHANGES, {**readings, "start": start, "end": end})


def _claims(cursor: Any, raw_zone: RawZone, entries: Sequence[RegisteredAsset], ruleset_id: int) -> list[Claim]:
    """What Bronze says of these assets, each once."""
    cursor.execute(
        "select asset_id, content_bytes from ops.source_asset where asset_id = any(%s)",
        (sorted({entry.asset_id for entry in entries if entry.asset_id is not None}),),
    )
    sizes = dict(cursor.fetchall())
    found = {
        entry.asset_id: Claim(archived(raw_zone, entry, sizes[entry.asset_id]), ruleset_id, is_judged=True)
        for entry in entries
        if entry.asset_id is not None and entry.raw_zone_key and entry.content_encoding and entry.source_fingerprint
    }
    return list(found.values())


def archived(raw_zone: RawZone, entry: RegisteredAsset, content_bytes: int = 0) -> AssetToRead:
    """An indexed asset with its bytes in the raw zone, to be read and not landed."""
    assert entry.asset_id is not None and entry.raw_zone_key and entry.content_encoding
    return AssetToRead(
        entry.asset_id,
        raw_zone.path_of(entry.raw_zone_key),
        entry.content_encoding,
        raw_zone.fingerprint_of(entry.raw_zone_key),
        content_bytes,
        is_indexed=True,
        offers_lines=False,
        declaration=entry.declaration,
    )
