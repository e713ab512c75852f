"""The record of a file that is one record: what its manifest declares of it, and what was read from its bytes.

Declaration and bytes make the record: the same file declared otherwise is another record, and so are other bytes under
the same declaration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson

from loader.contract import number_json, read_exactly
from loader.facts import FACT_FIELDS, Facts, FactsDefect, FactValue
from loader.kinds.declaration import Landing
from loader.reader import Framed

ASSET_TYPE = "asset_type"
# What says a field of such a record: the manifest, its entry, the bytes themselves or their facts; else the metadata of
# the entry do.
MANIFEST, ENTRY, METADATA, BYTES, FACTS = "manifest", "entry", "metadata", "bytes", "facts"
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


def origin(field: str, reader: str | None) -> str | None:
    """What says a field of a record whose facts `reader` reads; None of a line's."""
    if reader is None:
        return None
    return FACTS if field in FACT_FIELDS.get(reader, {}) else _ORIGINS.get(field, METADATA)


def metadata_fields(landing: Landing) -> frozenset[str]:
    """What the metadata of an entry may say of such a file: fields of its record. A fact that is declared is compared
    with what is read, and does not go into the record."""
    return frozenset(field.name for field in landing.fields if field.origin in (METADATA, FACTS)) - _NAMES


def declaration(landing: Landing, manifest: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    """The declared part of the record, as canonical JSON; what is null is not said. The type of the asset is always
    part of it: by that its facts are read."""
    sources = {MANIFEST: manifest, ENTRY: entry, METADATA: entry.get("metadata") or {}}
    said = {field.name: sources[field.origin].get(field.name) for field in landing.fields if field.origin in sources}
    told = {name: value for name, value in {**said, ASSET_TYPE: entry[ASSET_TYPE]}.items() if value is not None}
    return orjson.dumps(told, default=number_json, option=orjson.OPT_SORT_KEYS).decode()


def asset_type_of(declared: str) -> str:
    """What a declaration says that the file is; empty where there is none."""
    return str(orjson.loads(declared)[ASSET_TYPE]) if declared else ""


def framed(file: Framed, landing: Landing, declared: str, found: Facts | FactsDefect | None) -> Framed:
    """A file as a kind of files frames it: its record is one line of JSON, to be judged as a line is. `found`: of its
    bytes; with a defect, or None where nobody has looked, the record has no fact."""
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
