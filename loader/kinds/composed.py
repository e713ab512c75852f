"""A record that is composed: of what its manifest declares, and of what was read from the bytes.

A file that is a record is made of declaration, bytes and facts. A line whose kind takes fields from its asset's entry
is made of declaration, bytes, its own fields and its place. Either way the same bytes under another declaration are
another record, and so are other bytes under the same one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import orjson

from loader.contract import TimestampError, number_json, parse_date_start, parse_instant, read_exactly
from loader.facts import FACT_FIELDS, Facts, FactsDefect, FactValue
from loader.kinds.declaration import Landing, Whole
from loader.reader import Framed, Line

ASSET_TYPE = "asset_type"
# What says a field of such a record: the manifest, its entry, the bytes themselves or their facts, the line or its
# place in the file; else the metadata of the entry do.
MANIFEST, ENTRY, METADATA, BYTES, FACTS, LINE, PLACE = (
    "manifest",
    "entry",
    "metadata",
    "bytes",
    "facts",
    "line",
    "place",
)
DECLARED = (MANIFEST, ENTRY, METADATA)
BYTES_FIELDS: Mapping[str, type[FactValue]] = {"content_sha256": str, "size_bytes": int}
_ORIGINS: Mapping[str, str] = {
    "source_type": MANIFEST,
    "source_id": ENTRY,
    ASSET_TYPE: ENTRY,
    "license": ENTRY,
    **dict.fromkeys(BYTES_FIELDS, BYTES),
}
# What a file calls itself, which nobody declares: it would be compared with what its owner calls it.
_NAMES = {"title"}
# What a declared length may differ from a measured one: recorders and players count in frames and blocks.
_TOLERANCE = Decimal("0.02")
_SHOWN_CHARACTERS = 80
_JSON_SPACE = b" \t\r"


def origin_of_file(field: str, reader: str) -> str:
    """What says a field of a file whose facts `reader` reads."""
    return FACTS if field in FACT_FIELDS.get(reader, {}) else _ORIGINS.get(field, METADATA)


def origin_of_line(field: str, from_entry: Collection[str], of_place: Collection[str]) -> str:
    """What says a field of a line, of a kind that takes these from its asset's entry, and these from its place."""
    if field in of_place:
        return PLACE
    return _ORIGINS.get(field, METADATA) if field in from_entry else LINE


def metadata_fields(landing: Landing) -> frozenset[str]:
    """What the metadata of an entry may say of such an asset: fields of its records. A fact that is declared is
    compared with what is read, and does not go into the record."""
    return frozenset(field.name for field in landing.fields if field.origin in (METADATA, FACTS)) - _NAMES


def named_files(landing: Landing, said: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The files beside an asset that its metadata name: the field, whose name ends in `_path` or `_paths`, and the path
    as declared."""
    for field in landing.fields:
        if field.origin == METADATA and field.name.endswith(("_path", "_paths")):
            value = said.get(field.name)
            for each in value if isinstance(value, list) else (value,):
                if isinstance(each, str):
                    yield field.name, each


def fields_to_say(landing: Landing) -> tuple[str, ...]:
    """What the metadata of each entry have to say, or its records are rejected; their day aside, which names say."""
    needed = (field.name for field in landing.fields if field.origin == METADATA and field.is_required)
    return tuple(name for name in needed if name != landing.roles.partition)


def declaration(landing: Landing, manifest: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    """The declared part of the asset's records, as canonical JSON; what is null is not said. The type of the asset is
    always part of it: by that its facts are read. Empty where nothing is declared of records of the kind."""
    if not landing.is_composed:
        return ""
    sources = {MANIFEST: manifest, ENTRY: entry, METADATA: entry.get("metadata") or {}}
    said = {field.name: sources[field.origin].get(field.name) for field in landing.fields if field.origin in sources}
    told = {name: value for name, value in {**said, ASSET_TYPE: entry[ASSET_TYPE]}.items() if value is not None}
    return orjson.dumps(told, default=number_json, option=orjson.OPT_SORT_KEYS).decode()


def asset_type_of(declared: str) -> str:
    """What a declaration says that the file is; empty where there is none."""
    return str(orjson.loads(declared)[ASSET_TYPE]) if declared else ""


def declared_day(landing: Landing, said: Mapping[str, Any]) -> date | None:
    """The day that is declared of all records of an asset, where the declared part of them says one."""
    (field,) = (field for field in landing.fields if field.name == landing.roles.partition)
    if field.origin != METADATA:
        return None
    try:
        parse = parse_date_start if field.type == "date" else parse_instant
        return parse(str(said.get(field.name))).date()
    except TimestampError:
        return None


def framed(file: Framed, landing: Landing, declared: str, found: Facts | FactsDefect | None) -> Framed:
    """A file as its kind frames it. The record of a kind of files is one line of JSON, to be judged as a line is;
    `found`: of its bytes; with a defect, or None where nobody has looked, the record has no fact. A kind of lines
    that takes fields from the entry has each line composed before it is judged."""
    if not landing.is_composed:
        return file
    if landing.facts is None:
        return _composing(file, landing, read_exactly(declared))
    facts = found.values if isinstance(found, Facts) else {}
    size_bytes = file.path.stat().st_size if file.path.is_file() else 0
    said = {**read_exactly(declared), **facts, "content_sha256": file.fingerprint, "size_bytes": size_bytes}
    known = {field.name for field in landing.fields}
    record = {name: value for name, value in said.items() if name in known}
    return replace(
        file,
        record=orjson.dumps(record, default=number_json, option=orjson.OPT_SORT_KEYS),
        defect=(found.reason_code, found.message) if isinstance(found, FactsDefect) else None,
    )


def _composing(file: Framed, landing: Landing, said: Mapping[str, Any]) -> Framed:
    known = {field.name: field.origin for field in landing.fields}
    of_all = {name: value for name, value in said.items() if name in known}
    of_all |= {name: file.fingerprint for name in known if name == "content_sha256"}
    return replace(file, compose=partial(_composed, landing, of_all), day=declared_day(landing, said))


def _composed(landing: Landing, of_all: Mapping[str, Any], line: Line) -> bytes:
    """The line, in the names of its fields, with what is said of it elsewhere put in at its end, so that a place in it
    stays what it is. A field that the line says as well then stands there twice, which no record may."""
    body = line.body.rstrip(_JSON_SPACE)
    if not body.endswith(b"}") or landing.whole is None:
        return line.body
    body = _in_our_names(body, landing.whole)
    said = {**of_all, landing.whole.number: line.number}
    if landing.whole.field in said:
        said[landing.roles.key] = segment_key(str(said[landing.whole.field]), line.number)
    inner = body[:-1]
    comma = b"" if inner.strip(_JSON_SPACE) == b"{" else b","
    composed = inner + comma + orjson.dumps(said, default=number_json, option=orjson.OPT_SORT_KEYS)[1:]
    # What is no object may not become one by what is put into it.
    return composed if _is_object(body) or not _is_object(composed) else line.body


def _in_our_names(body: bytes, whole: Whole) -> bytes:
    """An object whose fields have the names of the schema, whatever the line calls them; other bytes as they are."""
    if not any(other.encode() in body for other, _ in whole.also_named) or not _is_object(body):
        return body
    for other, name in whole.also_named:
        # In an object only a name has a colon behind it, and no quote within a text ends it.
        body = re.sub(rb'"%s"(?=[ \t\r]*:)' % other.encode(), f'"{name}"'.encode(), body)
    return body


def segment_key(whole: str, number: int) -> str:
    """What names a record of a kind whose assets are whole."""
    return f"{whole}:{number}"


def _is_object(text: bytes) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False


def contradicted(metadata: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    """What the metadata of an entry declare and the bytes do not confirm, a sentence each. A length in seconds may
    differ by 2 %; an estimate contradicts nothing."""
    for name in sorted((metadata.keys() & facts.values.keys()) - facts.estimated):
        declared, read = metadata[name], facts.values[name]
        # To Python true is 1, and no count.
        is_said = declared == read and not isinstance(declared, bool)
        if declared is None or is_said or _is_near(name, declared, read):
            continue
        yield f"metadata say {name} {_told(declared)}, the file has {_told(read)}"


def _told(value: Any) -> str:
    """A value as JSON, so that text is no number; of a long one, how it begins."""
    text = orjson.dumps(value, default=number_json).decode()
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _is_near(name: str, declared: Any, read: FactValue) -> bool:
    if not name.endswith("_seconds") or not isinstance(declared, Decimal) or isinstance(read, str):
        return False
    return abs(declared - read) <= _TOLERANCE * read
