"""What an erasure would remove: a person's lines, found in the archive itself, the files that go with the person's
records, and all rows that came of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from loader.config import Settings
from loader.erasure.erasure_plan import COUNTED, ErasurePlan
from loader.erasure.traces import (
    Search,
    asset_lines,
    encoding_of,
    has_words,
    landed_kinds,
    landing_of,
    whole_asset,
    whole_files,
)
from loader.errors import CommandUsageError
from loader.privacy import (
    is_named_in,
    look_alikes,
    person_hash,
)
from loader.raw_zone import RawZone, require_objects
from loader.reader import ContentChangedError
from loader.warehouse import fetch_rows, released_kinds

_ASSETS = """
select asset.asset_id, asset.record_kind, asset.raw_zone_key, asset.content_encoding, asset.content_bytes,
    asset.declaration,
    array(select distinct entry.source_url_or_path from ops.manifest_asset as entry
        where entry.asset_id = asset.asset_id order by 1) as source_paths,
    -- Lines of the person that Bronze knows, for an object that is gone.
    array(select distinct line.line_number from bronze.record_event as event
        inner join bronze.asset_line as line on line.event_id = event.event_id
        where event.person_id = %(person)s and event.record_kind = asset.record_kind
            and line.asset_id = asset.asset_id order by 1) as known_lines
from ops.source_asset as asset order by asset.asset_id
"""

# The person's, and those of files that go with a record of the person.
EVENTS = """
select event_id, record_kind, record_key, partition_key, _dlt_load_id from bronze.record_event
where person_id = %(person)s
union
select event.event_id, event.record_kind, event.record_key, event.partition_key, event._dlt_load_id
from bronze.asset_line as line inner join bronze.record_event as event on event.event_id = line.event_id
where line.asset_id = any(%(files)s::int[])
"""

# One row for each kind, where there is anything.
_OF_KINDS = """
select record_kind, coalesce(event_count, 0) as event_count, coalesce(record_count, 0) as record_count,
    coalesce(reject_count, 0) as reject_count, coalesce(released_row_count, 0) as released_row_count,
    coalesce(landed.days, '{{}}') || coalesce(held.days, '{{}}') as days
from (
    select record_kind, count(*) as event_count, count(distinct record_key) as record_count,
        array_agg(distinct partition_key) as days
    from ({events}) as event group by record_kind
) as landed
full join (
    select asset.record_kind, count(*) as reject_count
    from bronze.rejected_record as reject
    inner join unnest(%(assets)s::int[], %(lines)s::int[]) as line (asset_id, line_number)
        using (asset_id, line_number)
    inner join ops.source_asset as asset using (asset_id)
    group by asset.record_kind
) as rejected using (record_kind)
full join (
    select record_kind, count(*) as released_row_count, array_agg(distinct partition_key) as days
    from ({released}) as released_row group by record_kind
) as held using (record_kind)
order by record_kind
"""

_KNOWN = """
select person_id, count(*)::int from bronze.record_event
where person_id <> %s group by person_id order by person_id
"""


def make_erasure_plan(cursor: Any, settings: Settings, person_id: str, reason: str) -> ErasurePlan:
    """What an erasure of this person would remove now, of every kind: reads every archived object and asks the
    warehouse; writes nothing.

    Raises CommandUsageError for an id or a reason that cannot be used, RefusedError where an archived object is
    damaged, or of a kind that is not declared: what cannot be read cannot be searched.
    """
    _refuse_unusable(person_id, reason)
    kinds = landed_kinds(settings)
    raw_zone = RawZone(settings.raw_zone)
    cursor.execute("select hash_key from ops.erasure_key")
    key = bytes(cursor.fetchone()[0])
    search = Search(person_id)
    rows = fetch_rows(cursor, _ASSETS, {"person": person_id})
    cursor.execute("select record_kind, record_key from bronze.record_event where person_id = %s", (person_id,))
    wholes, records = whole_files(rows, {*cursor.fetchall()}, kinds, raw_zone)
    files = {row["asset_id"] for row in wholes}
    taken = []
    for row in wholes:
        with _readable(cursor, settings, row):
            taken.append(whole_asset(cursor, raw_zone, row, search, landing_of(kinds, row["record_kind"])))
    # Nothing is left to take of a file of lines that an erasure took before.
    assets = [asset for asset in taken if asset.numbers]
    for row in rows:
        landing = landing_of(kinds, row["record_kind"])
        if row["asset_id"] in files or not has_words(landing):
            continue
        with _readable(cursor, settings, row):
            found = asset_lines(raw_zone, row, search, landing)
        if found.numbers:
            assets.append(found)
    registered = {row["raw_zone_key"] for row in rows}
    unregistered = tuple(
        archived
        for archived in raw_zone.objects()
        if archived not in registered and search.lines(raw_zone, archived, encoding_of(archived), *kinds.values())
    )
    assets.sort(key=lambda asset: asset.asset_id)
    pairs = [(asset.asset_id, number) for asset in assets for number in asset.numbers]
    parameters = {
        "person": person_id,
        "assets": [asset_id for asset_id, _ in pairs],
        "lines": [number for _, number in pairs],
        "files": [asset.asset_id for asset in assets if asset.is_whole],
    }
    of_kinds = fetch_rows(cursor, _OF_KINDS.format(events=EVENTS, released=_released_rows(cursor)), parameters)
    cursor.execute(_KNOWN, (person_id,))
    known = dict(cursor.fetchall())
    return ErasurePlan(
        person_hash(key, person_id),
        reason.strip(),
        tuple(assets),
        unregistered,
        {row["record_kind"]: {name: row[name] for name in COUNTED} for row in of_kinds},
        tuple(sorted({day for row in of_kinds for day in row["days"]})),
        search.mention_count,
        frozenset(search.texts),
        records,
        tuple((each, person_hash(key, each), known[each]) for each in look_alikes(person_id, known)),
    )


@contextmanager
def _readable(cursor: Any, settings: Settings, row: Mapping[str, Any]) -> Iterator[None]:
    """What cannot be read cannot be searched: raises RefusedError where the object is damaged."""
    try:
        yield
    except ContentChangedError:
        require_objects(cursor, settings, [row["raw_zone_key"]], are_read=True)
        raise


def _released_rows(cursor: Any) -> str:
    """SQL of kind and day of the person's released rows, of every kind; where Silver does not show whose they are, by
    their events."""
    return " union all ".join(
        f"select '{kind.record_kind}' as record_kind, partition_key from {kind.rows} where "
        + (
            f"{kind.person_column} = %(person)s"
            if kind.person_column is not None
            else f"event_id in (select event_id from ({EVENTS}) as event where record_kind = '{kind.record_kind}')"
        )
        for kind in released_kinds(cursor)
    )


def _refuse_unusable(person_id: str, reason: str) -> None:
    said = "nothing was planned"
    is_text = person_id.encode(errors="replace").decode() == person_id
    if not person_id.strip() or not is_text or "\0" in person_id or "\n" in person_id:
        raise CommandUsageError(
            f"--person: got {person_id!r}, expected a person's id; {said}", next_command="loader erase --help"
        )
    if not reason.strip() or is_named_in(reason, person_id):
        raise CommandUsageError(
            "--reason: expected a text that is not empty and does not name the person, since it is kept for good;"
            f" {said}",
            next_command="make erase PERSON=<id> REASON='request 4711 of 2026-11-20'",
        )
