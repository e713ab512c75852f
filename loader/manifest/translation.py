"""A manifest of another dialect in the words of manifest_v1: pure, from what it says and what its words mean here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loader.contract import parse_instant
from loader.kinds import Kind, metadata_fields
from loader.manifest.draft import instant_text
from loader.manifest.rules import DAY_ASSUMED, MODE_NOT_LANDED, TYPE_NOT_READ

_OURS = re.compile(r"batch-[0-9]{8}-[0-9]{3,50}")
_DATED_ID = re.compile(r".*-([0-9]{8}-[0-9]{3})")

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """`words`: what its words mean here."""

    words: Mapping[str, Any]
    kinds: Mapping[str, Kind]

    def kinds_of(self, contract: str) -> list[str]:
        """Names of the kinds that a contract allows, as far as they are declared here."""
        return [name for name in self.words["contracts"].get(contract, ()) if name in self.kinds]


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a manifest of the dialect says, numbers exact; `made_at`: when it was made, as it says."""

    said: Mapping[str, Any]
    sha256: str
    made_at: str
    dialect: Dialect

    @property
    def mode(self) -> Mapping[str, Any]:
        return dict(self.dialect.words["load_modes"][self.said["load_mode"]])

    def part_id(self, kind: str) -> str:
        """The id of the manifest of one kind. A later version of the translation gives other ones: what was registered
        under an id does not change."""
        version = self.dialect.words["version"]
        return f"{self.said['manifest_id']}.{kind}" + (f".{version}" if version > 1 else "")


@dataclass(frozen=True, slots=True)
class _Found:
    """What a file is by its type. `contract`: the one that bounds it; not `is_allowed`: it allows no such kind."""

    kind: Kind
    asset_type: str
    contract: str
    is_read: bool = True
    is_allowed: bool = True


def head_of(delivered: Delivered, kind: Kind) -> Entry:
    """Everything but the files of the manifest of one kind."""
    said, words = delivered.said, delivered.dialect.words
    policy = said.get("gate_policy") or {}
    return {
        "manifest_version": "manifest_v1",
        "manifest_id": delivered.part_id(kind.name),
        "batch_id": _batch_id(delivered),
        "contract_ref": kind.name,
        "modality": kind.modality,
        "source_type": kind.source_types[0],
        "load_mode": delivered.mode["load_mode"],
        "selection_window": _window(delivered),
        "license": said["license_tag"],
        "searches_parents": True,
        "translated_from": {
            "dialect": words["dialect"],
            "version": words["version"],
            "manifest_id": said["manifest_id"],
            "manifest_sha256": delivered.sha256,
            "kinds": sorted({_found(delivered, each).kind.name for each in said["assets"]}),
            "kept": [name for name in words["kept"] if said.get(name) is not None],
        },
        "gate_policy": {
            **{ours["policy"]: policy.get(theirs, ours["default"]) for theirs, ours in words["gate_policy"].items()},
            **words["fixed_policy"],
        },
    }


def translated(delivered: Delivered, said: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    """An entry, then its sidecars, each with the name of its kind. That of a sidecar may not be there."""
    found = _found(delivered, said)
    metadata, notes = _metadata(delivered, found, said)
    shared = _shared(delivered, said)
    entry = {
        "source_id": said["source_id"],
        "source_url_or_path": said["source_url_or_path"],
        "asset_type": found.asset_type,
        "checksum_sha256": said.get("checksum_sha256"),
        "size_bytes": said.get("size_bytes"),
        **shared,
        "metadata": metadata,
        "notes": notes,
    }
    if (status := delivered.dialect.words["metadata_status"].get(said.get("metadata_status"))) is not None:
        entry["metadata_status"] = status
    yield found.kind.name, entry
    for theirs, sidecar in delivered.dialect.words["sidecars"].items():
        if said.get(theirs) is not None:
            yield (
                sidecar["kind"],
                {
                    "source_id": f"{said['source_id']}:{sidecar['name']}",
                    "source_url_or_path": said[theirs],
                    "asset_type": sidecar["asset_type"],
                    "checksum_sha256": None,
                    "size_bytes": None,
                    **shared,
                    "metadata": _of_sidecar(delivered, sidecar["kind"], said),
                    "notes": [note for note in notes if note != TYPE_NOT_READ],
                    "beside": {"manifest_id": delivered.part_id(found.kind.name), "source_id": said["source_id"]},
                },
            )


def _of_sidecar(delivered: Delivered, kind: str, said: Mapping[str, Any]) -> Entry:
    """The metadata of a sidecar: its file's instant and language, and which file that is."""
    told = {} if said.get("language") is None else {"language": said["language"]}
    return {
        "exported_at": delivered.made_at,
        "owner": delivered.said["owner"],
        "schema_version": kind,
        "linked_source_id": said["source_id"],
        "recorded_at": _instant(delivered, said) or delivered.made_at,
        **told,
    }


def _shared(delivered: Delivered, said: Mapping[str, Any]) -> Entry:
    """What a file and its sidecars have in common."""
    words, manifest = delivered.dialect.words, delivered.said
    return {
        "canonization_status": words["canonization_status"][manifest.get("canonization_status") or "raw"],
        "license": manifest["license_tag"],
        "pii_scan_status": words["pii_scan_status"][said.get("pii_scan_status") or "unknown"],
    }


def _found(delivered: Delivered, said: Mapping[str, Any]) -> _Found:
    """The type of a file chooses its kind; the contract bounds the choice, and no more."""
    dialect, declared = delivered.dialect, said["asset_type"]
    contract = said.get("contract_ref") or delivered.said["contract_ref"]
    allowed = dialect.kinds_of(contract)
    ending = dialect.words["endings"].get(said["source_url_or_path"].rpartition(".")[2].lower())
    typed = []
    for name in dialect.words["asset_types"].get(declared, ()):
        types = dialect.kinds[name].asset_types if name in dialect.kinds else ()
        asset_type = declared if declared in types else ending
        if asset_type in types:
            typed.append((dialect.kinds[name], asset_type))
    for kind, asset_type in typed:
        if kind.name in allowed:
            return _Found(kind, asset_type, contract)
    if typed:
        return _Found(*typed[0], contract, is_allowed=False)
    return _Found(dialect.kinds[allowed[0]], declared, contract, is_read=False)


def _metadata(delivered: Delivered, found: _Found, said: Mapping[str, Any]) -> tuple[Entry, list[str]]:
    """Also the notes of the entry."""
    kind, manifest = found.kind, delivered.said
    metadata = {
        "exported_at": delivered.made_at,
        "owner": manifest["owner"],
        # Another name than its kind's is a contract_mismatch, which the manifest's policy judges.
        "schema_version": kind.name if found.is_allowed else found.contract,
    }
    notes = ([] if found.is_read else [TYPE_NOT_READ]) + ([] if delivered.mode["lands"] else [MODE_NOT_LANDED])
    if kind.landing is None or not kind.landing.is_composed:
        return metadata, notes
    fields = metadata_fields(kind.landing)
    told = [(ours, said.get(theirs)) for theirs, ours in delivered.dialect.words["metadata"].items()]
    told.append(("product_line", manifest.get("product_line")))
    metadata |= {name: value for name, value in told if name in fields and value is not None}
    instant = _instant(delivered, said)
    metadata[kind.landing.roles.partition] = instant or delivered.made_at
    return metadata, notes if instant else [DAY_ASSUMED, *notes]


def _instant(delivered: Delivered, said: Mapping[str, Any]) -> str | None:
    names = delivered.dialect.words["instants"]
    return next((instant_text(parse_instant(said[name])) for name in names if said.get(name) is not None), None)


def _batch_id(delivered: Delivered) -> str:
    """The batch, as ours are named: its own name, else the date and number that end the manifest's id, else the day on
    which it was made."""
    said = delivered.said
    if _OURS.fullmatch(said["batch_id"]):
        return str(said["batch_id"])
    dated = _DATED_ID.fullmatch(said["manifest_id"])
    return f"batch-{dated[1]}" if dated else f"batch-{delivered.made_at[:10].replace('-', '')}-001"


def _window(delivered: Delivered) -> Entry | None:
    """Days of records that were selected; None where it does not say them."""
    window = delivered.said.get("selection_window") or {}
    field, start, end = (window.get(name) for name in ("cursor_field", "cursor_start", "cursor_end"))
    if not delivered.mode["lands"] or field not in delivered.dialect.words["cursor_fields"] or start is None:
        return None
    return {
        "field": field,
        "start": instant_text(parse_instant(start)),
        "end": delivered.made_at if end is None else instant_text(parse_instant(end)),
    }
