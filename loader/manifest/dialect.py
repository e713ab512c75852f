"""Manifests in another dialect, read as they are: as manifests of manifest_v1, one for each kind of their files.

What a word of the dialect means here is data (contracts/manifest/source_manifest_v1.yml, docs/decisions/0029).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson
import yaml

from loader.bounds import MAX_VIOLATIONS
from loader.checkout import find_project_root
from loader.contract import InexactError, TimestampError, load_schema, number_json, parse_instant, read_exactly
from loader.kinds import load_kinds
from loader.manifest.draft import instant_text
from loader.manifest.model import Manifest, Violation
from loader.manifest.parse import ManifestRefusedError, parse_manifest, violations_of_schema, violations_of_text
from loader.manifest.translation import Delivered, Dialect, head_of, translated

DIALECT = "source_manifest_v1"


@dataclass(slots=True)
class _Part:
    """Entries of one kind, the place of each in what was delivered, and sidecars beside them that no kind takes."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    not_landed: list[str] = field(default_factory=list)


def parse_manifests(content: bytes, path: Path, contracts_folder: Path | None = None) -> tuple[Manifest, ...]:
    """The manifests that a file declares, in the order of its files: one where it is a manifest_v1, else one for each
    kind. Raises as parse_manifest; violations have the places of the file as delivered."""
    contracts = contracts_folder or find_project_root() / "contracts"
    # The bytes of a manifest_v1 are checked and parsed once.
    if DIALECT.encode() not in content:
        return (parse_manifest(content, path, contracts),)
    if violations := violations_of_text(content):
        raise ManifestRefusedError(path, violations)
    declared = orjson.loads(content)
    if not isinstance(declared, dict) or declared.get("schema_version") != DIALECT:
        return (parse_manifest(content, path, contracts),)
    schema, words = _dialect(contracts)
    dialect = Dialect(words, load_kinds(contracts))
    violations = violations_of_schema(declared, schema) or [*islice(_violations(declared, dialect), MAX_VIOLATIONS)]
    if violations:
        raise ManifestRefusedError(path, violations)
    try:
        said = read_exactly(content.decode())
    except InexactError as error:
        what = Violation("manifest_invalid_value", "$", "a number of too many digits, or nested too deep")
        raise ManifestRefusedError(path, [what]) from error
    made_at = instant_text(parse_instant(said["created_at"]))
    delivered = Delivered(said, hashlib.sha256(content).hexdigest(), made_at, dialect)
    return tuple(_manifest(delivered, part, content, path, contracts) for part in _parts(delivered).items())


def registered_manifest(
    content: bytes, delivered: bytes | None, path: Path, contracts: Path, *, is_implicit: bool = False
) -> Manifest:
    """A manifest as it was registered. One that was made of what was `delivered` has with it what that still says,
    unless it would become another one today."""
    manifest = parse_manifest(content, path, contracts, is_implicit=is_implicit)
    if delivered is None:
        return manifest
    with suppress(ManifestRefusedError):
        for each in parse_manifests(delivered, path, contracts):
            if each.sha256 == manifest.sha256:
                return each
    return manifest


@lru_cache(maxsize=4)
def _dialect(contracts: Path) -> tuple[jsonschema_rs.Draft202012Validator, Mapping[str, Any]]:
    """Its schema, and what its words mean."""
    folder = contracts / "manifest"
    words = yaml.safe_load((folder / f"{DIALECT}.yml").read_bytes())
    return load_schema(folder / f"{DIALECT}.schema.json"), words


def _violations(declared: Mapping[str, Any], dialect: Dialect) -> Iterator[Violation]:
    """Rules of the dialect that its schema cannot say; those of manifest_v1 come after."""
    window = declared.get("selection_window") or {}
    instants = {"$.created_at": declared["created_at"]}
    if window.get("cursor_field") in dialect.words["cursor_fields"]:
        instants |= {f"$.selection_window.{name}": window.get(name) for name in ("cursor_start", "cursor_end")}
    contracts = {"$.contract_ref": declared["contract_ref"]}
    first_place: dict[str, int] = {}
    for place, entry in enumerate(declared["assets"]):
        instants |= {f"$.assets[{place}].{name}": entry.get(name) for name in dialect.words["instants"]}
        contracts[f"$.assets[{place}].contract_ref"] = entry.get("contract_ref")
        if first_place.setdefault(entry["source_id"], place) != place:
            what = f"{entry['source_id']!r} stands at $.assets[{first_place[entry['source_id']]}] already"
            yield Violation("duplicate_source_id", f"$.assets[{place}].source_id", what)
    for where, text in instants.items():
        try:
            if text is not None:
                parse_instant(text)
        except TimestampError as error:
            yield Violation("manifest_invalid_value", where, f"got {text!r}: {error.message}")
    for where, contract in contracts.items():
        if contract is not None and not dialect.kinds_of(contract):
            got = f"got {contract!r}, expected one of {', '.join(dialect.words['contracts'])}"
            yield Violation("unknown_contract_ref", where, got)
    is_cut = declared["load_mode"] == "incremental_cursor"
    if is_cut and not (window.get("cursor_field") and window.get("cursor_start")):
        what = "load_mode incremental_cursor needs a cursor_field and a cursor_start"
        yield Violation("window_required_by_load_mode", "$.selection_window", what)


def _parts(delivered: Delivered) -> dict[str, _Part]:
    """By the names of their kinds, which are all there."""
    parts: dict[str, _Part] = {}
    for place, said in enumerate(delivered.said["assets"]):
        (kind, entry), *sidecars = translated(delivered, said)
        part = parts.setdefault(kind, _Part())
        part.entries.append(entry)
        part.places.append(place)
        for name, sidecar in sidecars:
            if name in delivered.dialect.kinds:
                of_sidecars = parts.setdefault(name, _Part())
                of_sidecars.entries.append(sidecar)
                of_sidecars.places.append(place)
            else:
                part.not_landed.append(f"{sidecar['source_url_or_path']}, beside {entry['source_id']}: no kind {name}")
    return parts


def _manifest(delivered: Delivered, part: tuple[str, _Part], content: bytes, path: Path, contracts: Path) -> Manifest:
    name, of_kind = part
    body = {**head_of(delivered, delivered.dialect.kinds[name]), "assets": of_kind.entries}
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    try:
        manifest = parse_manifest(orjson.dumps(body, default=number_json, option=options), path, contracts)
    except ManifestRefusedError as error:
        raise ManifestRefusedError(path, [_placed(each, of_kind.places) for each in error.violations]) from error
    assert manifest.translation is not None
    translation = replace(manifest.translation, content=content, not_landed=tuple(of_kind.not_landed))
    return replace(manifest, translation=translation)


def _placed(violation: Violation, places: list[int]) -> Violation:
    """A violation of a part, at its place in what was delivered."""
    match = re.match(r"\$\.assets\[([0-9]+)\](.*)", violation.json_path)
    if match is None:
        return violation
    return replace(violation, json_path=f"$.assets[{places[int(match[1])]}]{match[2]}")
