"""What is meant by a key, by a file and the number of its line, or by an event's id; or that there is no such thing."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from loader.errors import CommandUsageError
from loader.printable import pasted
from loader.privacy import record_hash
from loader.trace.lines import line_at, lines_of_events
from loader.trace.model import Erased, TracedLine
from loader.warehouse import fetch_rows

_FINGERPRINT = re.compile(r"[0-9a-f]{12,64}")
_LARGEST_LINE = 2**31 - 1
_TOLD = 10

_KINDS_OF_KEY = """
select distinct record_kind from bronze.visible_event
where record_key = %(key)s and (%(kind)s::text is null or record_kind = %(kind)s) order by record_kind
"""
_ERASED = """
select erasure.erasure_id::text, erasure.removed_at, erasure.finished_at is not null as is_finished
from ops.erased_record as record
inner join ops.erasure as erasure on erasure.erasure_id = record.erasure_id
where record.record_hash = %s
"""
# Also of what was declared and not admitted: then there is no asset.
_FILES = """
select distinct entry.asset_id, entry.source_id, entry.manifest_id, manifest.contract_ref as record_kind,
    asset.source_fingerprint, entry.disposition, entry.reason_codes
from {entries} as entry
inner join ops.manifest as manifest on manifest.manifest_id = entry.manifest_id
left join ops.source_asset as asset on asset.asset_id = entry.asset_id
where {condition} and (%(kind)s::text is null or manifest.contract_ref = %(kind)s)
order by entry.asset_id, entry.manifest_id
"""
_OF_BYTES = """(
    select named.* from ops.source_asset as known
    inner join ops.manifest_asset as named using (asset_id)
    where known.source_fingerprint >= %(file)s and known.source_fingerprint < %(file)s || 'g'
)"""
_BY_NAME = _FILES.format(entries="ops.manifest_asset", condition="entry.source_id = %(file)s")
_BY_FINGERPRINT = _FILES.format(entries=_OF_BYTES, condition="true")
_EVENT = "select record_kind, record_key from bronze.visible_event where event_id = %s limit 1"


class Found(NamedTuple):
    """What is to be traced. `record_key` None: the line is of no record that counts."""

    record_kind: str
    record_key: str | None
    line: TracedLine | None = None
    event_id: str | None = None


def storable(text: str) -> bool:
    """Whether the warehouse could hold it at all."""
    return "\0" not in text and text.encode(errors="replace").decode() == text


def find_key(cursor: Any, key: str, kind: str | None, kinds: Collection[str]) -> Found:
    """The record of that key. Raises CommandUsageError: none, or of several kinds."""
    found = [name for (name,) in _rows(cursor, _KINDS_OF_KEY, {"key": key, "kind": kind})] if storable(key) else []
    found = found or [name for name in kinds if kind in (None, name) and erased(cursor, name, key) is not None]
    if len(found) > 1:
        told = "\n".join(f"  KIND={name}" for name in found)
        raise CommandUsageError(
            f"key {key!r}: {len(found)} kinds have a record of it, expected one; nothing was traced\n{told}",
            next_command=f"make trace KEY={pasted(key)} KIND={found[0]}",
        )
    if not found:
        of_kind = f" of {kind}" if kind else ""
        raise CommandUsageError(
            f"key {key!r}: no record{of_kind} has it, and none that was erased; nothing was traced",
            next_command="make status   # what there is",
        )
    return Found(found[0], key)


def find_event(cursor: Any, typed: str, kind: str | None) -> Found:
    """The record that the event is a version of. Raises CommandUsageError where no line brings it."""
    try:
        event_id = str(uuid.UUID(typed))
    except ValueError:
        event_id = ""
    events = _rows(cursor, _EVENT, (event_id,)) if event_id else []
    lines = lines_of_events(cursor, [event_id]) if event_id else []
    known = {(name, key) for name, key in events} or {(line.file.record_kind, None) for line in lines}
    of_kind = [each for each in known if kind in (None, each[0])]
    if not of_kind:
        raise CommandUsageError(
            f"event {typed!r}: no line brings it; nothing was traced",
            next_command="make status   # what there is",
        )
    name, key = of_kind[0]
    return Found(name, key, None if key is not None else lines[0], event_id)


def find_line(cursor: Any, place: str, kind: str | None) -> Found:
    """The line at FILE:N. Raises CommandUsageError: no such file or line, several files, or one that was not read."""
    name, _, digits = place.rpartition(":")
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 11 else 0
    if not name or not 0 < number <= _LARGEST_LINE or not storable(name):
        raise CommandUsageError(
            f"line {place!r}: expected FILE:N, the name of a declared file and the number of its line, from 1;"
            " nothing was traced",
            next_command="make trace LINE=tickets-2026-04-16.jsonl:1",
        )
    entries = fetch_rows(cursor, _BY_NAME, {"file": name, "kind": kind})
    if not entries and _FINGERPRINT.fullmatch(name):
        entries = fetch_rows(cursor, _BY_FINGERPRINT, {"file": name, "kind": kind})
    asset_id = _one_file(name, number, entries)
    line = line_at(cursor, asset_id, number)
    if line is None:
        raise _no_line(cursor, name, asset_id, number)
    events = _rows(cursor, _EVENT, (line.event_id,)) if line.event_id else []
    if not events:
        return Found(line.file.record_kind, None, line)
    return Found(events[0][0], events[0][1], line)


def _one_file(name: str, number: int, entries: Sequence[Any]) -> int:
    assets = {entry["asset_id"]: entry for entry in entries if entry["asset_id"] is not None}
    if not entries:
        raise CommandUsageError(
            f"line of {name!r}: no manifest declares a file of that name; nothing was traced",
            next_command="make status ALL=1   # names the files",
        )
    if not assets:
        entry = entries[0]
        raise CommandUsageError(
            f"line of {name!r}: manifest {entry['manifest_id']} declares it, and it was not admitted"
            f" ({entry['disposition']}: {', '.join(entry['reason_codes'])}): none of its lines was read",
            next_command="make status",
        )
    if len(assets) > 1:
        told = [
            f"  {entry['source_fingerprint'][:13]}   {entry['record_kind']}   {entry['source_id']} of manifest"
            f" {entry['manifest_id']}"
            for entry in [*assets.values()][:_TOLD]
        ]
        first = next(iter(assets.values()))["source_fingerprint"]
        more = [f"  and {len(assets) - _TOLD} more"] if len(assets) > _TOLD else []
        raise CommandUsageError(
            "\n".join([f"line of {name!r}: {len(assets)} files, expected one; nothing was traced", *told, *more]),
            next_command=f"make trace LINE={first[:13]}:{number}   # or KIND=… where the bytes are the same",
        )
    return int(next(iter(assets)))


def _no_line(cursor: Any, name: str, asset_id: int, number: int) -> CommandUsageError:
    found = _rows(
        cursor,
        "select line_count, indexed_line_count from ops.asset_index where asset_id = %s"
        " order by is_complete desc, ruleset_id desc limit 1",
        (asset_id,),
    )
    count, read = found[0] if found else (0, 0)
    why = "no run has read it yet" if not found else f"it has {count:,} lines"
    if found and read < count:
        why += f", of which {read:,} were read"
    return CommandUsageError(f"line {number:,} of {name!r}: {why}; nothing was traced", next_command="make status")


def erased(cursor: Any, record_kind: str, key: str) -> Erased | None:
    """Whether a record of this key was erased; nothing tells of whom."""
    if not storable(key):
        return None
    cursor.execute("select hash_key from ops.erasure_key")
    (secret,) = cursor.fetchone()
    found = fetch_rows(cursor, _ERASED, (record_hash(bytes(secret), (record_kind, key)),))
    return Erased(**found[0]) if found else None


def _rows(cursor: Any, query: str, parameters: Any) -> list[tuple[Any, ...]]:
    cursor.execute(query, parameters)
    return list(cursor.fetchall())
