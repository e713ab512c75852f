"""The way back to the bytes: objects hashed, lines cut out of them again and compared with what Bronze holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from loader.errors import RefusedError
from loader.facts import FactsReader
from loader.kinds import Ruleset, asset_type_of, framed
from loader.raw_zone import RawZone
from loader.reader import ContentEncoding, Framed, Line, lines_at, open_content
from loader.runs import known_facts
from loader.trace.model import File, Link, LinkName, TracedLine
from loader.verify import RereadLine, line_difference, reread_line
from loader.warehouse import fetch_rows

_MANIFESTS = """
select manifest_id, manifest_bytes, manifest_sha256 = encode(sha256(manifest_bytes), 'hex') as is_sound,
    encode(sha256(delivered_bytes), 'hex') as delivered_sha256
from ops.manifest where manifest_id = any(%s)
"""
_REDACTION = """
select new_raw_zone_key from ops.raw_zone_redaction where asset_id = %s order by redaction_id desc limit 1
"""
# A difference of loader/verify, in words.
_WORDS = {
    "line_missing": "Bronze does not hold the line",
    "line_invented": "the file has no such line",
    "bytes_differ": "its bytes are not where Bronze says",
    "kind_differs": "Bronze says that it is of another kind",
    "partition_differs": "Bronze says another day",
    "event_differs": "its record has another fingerprint than Bronze says",
    "event_missing": "Bronze does not hold its event",
    "payload_differs": "Bronze's payload is not that of its fingerprint",
    "columns_differ": "Bronze's columns are not what its record says",
    "delivery_differs": "Bronze's warnings or envelope are not what its record says",
    "reject_invented": "Bronze holds a reject of it",
    "reject_missing": "Bronze does not hold its reject",
    "reject_differs": "Bronze's reject is not that of the line",
}


@dataclass(slots=True)
class Reread:
    """`bodies`: of each line (asset, number) that could be read, its bytes without terminator; of a file that is a
    record, its record."""

    links: list[Link] = field(default_factory=list)
    bodies: dict[tuple[int, int], bytes] = field(default_factory=dict)


def reread(cursor: Any, raw_zone: RawZone, ruleset: Ruleset, lines: Sequence[TracedLine], *, is_quick: bool) -> Reread:
    """Every link of these lines with the archive. `is_quick`: objects are not read."""
    again = Reread()
    files = {line.file.asset_id: line.file for line in lines}
    again.links += _manifest_links(cursor, [*files.values()])
    for asset_id, file in files.items():
        of_file = [line for line in lines if line.file.asset_id == asset_id]
        if is_quick:
            again.links.append(Link(LinkName.OBJECT, file.source_id, is_recomputed=False))
            again.links.append(Link(LinkName.LINE, file.source_id, is_recomputed=False))
        else:
            again.links.append(_object_link(cursor, raw_zone, file))
            again.links += _line_links(cursor, raw_zone, ruleset, of_file, again)
    return again


def _manifest_links(cursor: Any, files: Sequence[File]) -> Iterator[Link]:
    wanted = sorted({file.manifest_id for file in files})
    held = {row["manifest_id"]: row for row in fetch_rows(cursor, _MANIFESTS, (wanted,))}
    for file in files:
        fault = manifest_fault(held.get(file.manifest_id), file)
        yield Link(LinkName.MANIFEST, f"{file.source_id} in manifest {file.manifest_id}", fault, asset_id=file.asset_id)


def manifest_fault(row: Mapping[str, Any] | None, file: File) -> str | None:
    """What is wrong with a manifest as the declaration of a file, in words; `row`: of _MANIFESTS, None: there is none.
    One that was delivered in another dialect says the SHA-256 of what it was read from."""
    if row is None:
        return f"no manifest declares {file.source_id or 'the file'}"
    if not row["is_sound"]:
        return "its bytes are not those of its SHA-256"
    try:
        said = orjson.loads(bytes(row["manifest_bytes"]))
        entry = next((each for each in said["assets"] if each["source_id"] == file.source_id), None)
        read_from = said.get("translated_from", {}).get("manifest_sha256")
    except (ValueError, KeyError, TypeError, AttributeError):
        return "its bytes are no manifest"
    if read_from != row["delivered_sha256"]:
        return "it was read from other bytes than were delivered"
    declared = None if entry is None else entry.get("checksum_sha256")
    if entry is None or declared not in (None, file.source_fingerprint):
        return f"it does not declare {file.source_id} with these bytes"
    return None


def _object_link(cursor: Any, raw_zone: RawZone, file: File) -> Link:
    """What was redacted lies under another name, which the last redaction gave it."""
    state, expected = raw_zone.verify(file.raw_zone_key), file.source_fingerprint
    fault = None if state == "sound" else f"its object {file.raw_zone_key} is {state}"
    if fault is None and raw_zone.fingerprint_of(file.raw_zone_key) != expected:
        cursor.execute(_REDACTION, (file.asset_id,))
        if cursor.fetchone() != (file.raw_zone_key,):
            fault = "its object is of other bytes than were delivered"
    return Link(LinkName.OBJECT, file.source_id, fault, asset_id=file.asset_id)


def _line_links(
    cursor: Any, raw_zone: RawZone, ruleset: Ruleset, lines: Sequence[TracedLine], again: Reread
) -> Iterator[Link]:
    file = lines[0].file
    try:
        found = _read(cursor, raw_zone, ruleset, lines)
    except RefusedError as error:
        # What is wrong with its object is said of that.
        fault = None if again.links[-1].is_broken else error.message
        for line in lines:
            yield Link(LinkName.LINE, line.name, fault, is_recomputed=fault is not None, asset_id=file.asset_id)
        return
    for line in lines:
        read = found.get(line.number)
        fault = "the file has no such line"
        if read is not None:
            body, once_more = read
            again.bodies[file.asset_id, line.number] = body
            # What was not asked for has no event, and lacks none.
            difference = line_difference(
                cursor, (file.asset_id, line.ruleset_id), once_more, is_landed=line.fate != "out_of_partition"
            )
            fault = "" if difference is None else _WORDS[difference]
        yield Link(LinkName.LINE, line.name, fault or None, asset_id=file.asset_id)


def _read(
    cursor: Any, raw_zone: RawZone, ruleset: Ruleset, lines: Sequence[TracedLine]
) -> dict[int, tuple[bytes, RereadLine]]:
    """These lines of one file, as its bytes say: their bodies, and what the judge says of each. Under another ruleset
    than today's, what no ruleset decides. Raises ContentChangedError where they cannot be read."""
    file, path = lines[0].file, raw_zone.path_of(lines[0].file.raw_zone_key)
    is_judged = lines[0].ruleset_sha256 == ruleset.sha256
    if ruleset.landing.facts is None:
        encoding: ContentEncoding = "gzip" if file.content_encoding == "gzip" else "identity"
        held = Framed(path, encoding, raw_zone.fingerprint_of(file.raw_zone_key))
        framed_file = framed(held, ruleset.landing, file.declaration, None)
        content = open_content(path, file.content_encoding)
        cut: list[Line] = [*lines_at(content, {line.number for line in lines})]
    else:
        framed_file = _framed(cursor, raw_zone, ruleset, lines[0])
        cut = [*framed_file.lines()]
    return {line.number: (line.body, reread_line(line, ruleset, framed_file, is_judged=is_judged)) for line in cut}


def _framed(cursor: Any, raw_zone: RawZone, ruleset: Ruleset, line: TracedLine) -> Framed:
    """A file that is a record, its facts read once more; under an older ruleset, those that were kept."""
    file, reader = line.file, ruleset.landing.facts
    assert reader is not None
    path, fingerprint = raw_zone.path_of(file.raw_zone_key), raw_zone.fingerprint_of(file.raw_zone_key)
    whole = Framed(path, "identity", fingerprint)
    asset_type = asset_type_of(file.declaration)
    if line.ruleset_sha256 != ruleset.sha256:
        kept = known_facts(cursor, reader, [file.source_fingerprint], line.facts_version)
        return framed(whole, ruleset.landing, file.declaration, kept.get((file.source_fingerprint, asset_type)))
    with FactsReader() as facts:
        found = facts.read(path, reader, asset_type) if path.is_file() else None
    return framed(whole, ruleset.landing, file.declaration, found)
