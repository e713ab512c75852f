"""Manifest bytes to a Manifest, or to every reason why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from loader.bounds import MAX_ASSETS, MAX_DOCUMENT_BYTES, MAX_MANIFEST_NAMES, MAX_MANIFEST_VALUES, MAX_VIOLATIONS
from loader.checkout import find_project_root
from loader.contract import (
    InexactError,
    SchemaFault,
    TimestampError,
    UnreadableError,
    has_surrogate,
    json_path,
    load_schema,
    parse_instant,
    read_leniently,
    schema_faults,
    strings_of,
)
from loader.errors import CheckFailedError
from loader.kinds import Kind, load_kinds
from loader.manifest.declared import manifest_of
from loader.manifest.model import Manifest, Violation
from loader.manifest.rules import violations_of
from loader.manifest.sequence import SequenceError
from loader.printable import in_one_line

_CODE_OF_KEYWORD = {"required": "manifest_missing_field", "additionalProperties": "manifest_unknown_field"}
_INVALID_VALUE = "manifest_invalid_value"
MANIFEST_TOO_LARGE = "manifest_too_large"
# Violations told in the error's message; all are in its list.
_TOLD = 10
# The validator lists all faults of what it is shown at once.
_ASSETS_AT_A_TIME = 100


class ManifestRefusedError(CheckFailedError):
    """A manifest breaks its schema or a rule; it is refused as a whole, no asset was opened or recorded.

    `violations` is never empty, in the order of the manifest, at most MAX_VIOLATIONS; its codes are of scope manifest.
    """

    def __init__(self, path: Path, violations: Sequence[Violation]) -> None:
        told = [f"  {violation}" for violation in violations[:_TOLD]]
        if len(violations) > _TOLD:
            told.append(f"  and {len(violations) - _TOLD} more")
        super().__init__(
            "\n".join([f"manifest {in_one_line(str(path))} is refused, nothing of it was read or written:", *told]),
            next_command="make manifest FROM=<folder of exports> OUT=<manifest.json>"
            "   # or ask upstream for one that is right",
        )
        self.path = path
        self.violations = tuple(violations)


def parse_manifest(
    content: bytes, path: Path, contracts_folder: Path | None = None, *, is_implicit: bool = False
) -> Manifest:
    """The manifest that `content` declares; `path` is where it lies, and is not read.

    `contracts_folder` (by default the checkout's) is read once per process. An absent `sequence` is filled in
    by sequence_of. Raises ManifestRefusedError with all violations of the first kind met: text, then schema,
    then rules; CommandUsageError when the contracts folder is broken.
    """
    schema, kinds = _manifest_contract(contracts_folder or find_project_root() / "contracts")
    violations = violations_of_text(content)
    if violations:
        raise ManifestRefusedError(path, violations)
    declared = orjson.loads(content)
    violations = violations_of_schema(declared, schema) or _violations_of_instants(declared)
    if violations:
        raise ManifestRefusedError(path, violations)
    kind = kinds.get(declared["contract_ref"])
    if kind is None:
        got = f"got {declared['contract_ref']!r}, expected one of {', '.join(kinds)}"
        raise ManifestRefusedError(path, [Violation("unknown_contract_ref", "$.contract_ref", got)])
    try:
        manifest = manifest_of(declared, content, path, kind, is_implicit)
    except InexactError as error:
        what = "a number of too many digits, NaN, or nested too deep"
        raise ManifestRefusedError(path, [Violation(_INVALID_VALUE, "$.assets", what)]) from error
    except SequenceError as error:
        raise ManifestRefusedError(
            path, [Violation("sequence_not_derivable", "$.assets", f"{error}; declare sequence for each")]
        ) from error
    violations = [*violations_of(manifest)][:MAX_VIOLATIONS]
    if violations:
        raise ManifestRefusedError(path, violations)
    return manifest


@lru_cache(maxsize=4)
def _manifest_contract(contracts_folder: Path) -> tuple[jsonschema_rs.Draft202012Validator, Mapping[str, Kind]]:
    schema = load_schema(contracts_folder / "manifest" / "manifest_v1.schema.json")
    return schema, load_kinds(contracts_folder)


def violations_of_text(content: bytes) -> list[Violation]:
    """Why these bytes are not JSON that PostgreSQL can store and everyone reads alike."""
    value_count = content.count(b",") + content.count(b"[") + content.count(b"{")
    if len(content) > MAX_DOCUMENT_BYTES or value_count > MAX_MANIFEST_VALUES:
        got = f"{len(content)} bytes, {value_count} commas and brackets"
        expected = f"at most {MAX_DOCUMENT_BYTES} and {MAX_MANIFEST_VALUES}"
        return [Violation(MANIFEST_TOO_LARGE, "$", f"got {got}, expected {expected}: declare fewer files in one batch")]
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return [Violation("manifest_not_utf8", "$", f"byte {error.start} is no UTF-8")]
    if text.startswith("\ufeff"):
        return [Violation("manifest_not_json", "$", "begins with a byte order mark")]
    try:
        reading = read_leniently(text)
    except UnreadableError as error:
        return [Violation("manifest_not_json", "$", str(error))]
    if reading.constant is not None:
        return [Violation("manifest_not_json", "$", f"{reading.constant} is no JSON value")]
    violations = []
    if reading.widest > MAX_MANIFEST_NAMES:
        got = f"got an object of {reading.widest} fields, expected at most {MAX_MANIFEST_NAMES}"
        violations.append(Violation("manifest_unknown_field", "$", got))
    if reading.has_duplicate_key:
        names = ", ".join(json_path([name]) for name in reading.duplicate_names[:_TOLD]) or "in an inner object"
        violations.append(Violation("manifest_duplicate_key", "$", f"the same key twice: {names}"))
    for place, string in strings_of(reading.value):
        if len(violations) == MAX_VIOLATIONS:
            break
        if "\0" in string or has_surrogate(string):
            violations.append(
                Violation(
                    "manifest_unstorable_character",
                    json_path(place),
                    "holds U+0000 or half of a surrogate pair",
                )
            )
    if not violations:
        try:
            orjson.loads(content)
        except orjson.JSONDecodeError as error:  # a number that no parser holds
            violations.append(Violation("manifest_not_json", "$", error.msg))
    return violations


def violations_of_schema(declared: Any, schema: jsonschema_rs.Draft202012Validator) -> list[Violation]:
    """What a manifest of any dialect breaks of its schema, in its order."""
    return [
        Violation(_CODE_OF_KEYWORD.get(fault.keyword, _INVALID_VALUE), fault.json_path, fault.message)
        for fault in islice(_faults_of_parts(declared, schema), MAX_VIOLATIONS)
    ]


def _violations_of_instants(declared: dict[str, Any]) -> list[Violation]:
    """The validator accepts instants that the loader cannot hold: year 0000, second 60, great offsets."""
    violations = []
    window = declared["selection_window"] or {}
    instants = [(f"$.selection_window.{name}", window[name]) for name in ("start", "end") if window]
    instants += [
        (f"$.assets[{place}].metadata.exported_at", asset["metadata"].get("exported_at"))
        for place, asset in enumerate(declared["assets"])
        if asset["metadata"]
    ]
    for instant_path, text in instants:
        try:
            if text is not None:
                parse_instant(text)
        except TimestampError as error:
            violations.append(Violation(_INVALID_VALUE, instant_path, f"got {text!r}: {error.message}"))
    return violations


def _faults_of_parts(declared: Any, schema: jsonschema_rs.Draft202012Validator) -> Iterator[SchemaFault]:
    """Faults of the manifest with some of its assets at a time, until one part has a fault: a manifest that is refused
    costs no more than one that is not."""
    assets = declared.get("assets") if isinstance(declared, dict) else None
    if not isinstance(assets, list):
        yield from schema_faults(schema, declared)
        return
    if len(assets) > MAX_ASSETS:
        yield SchemaFault("maxItems", "$.assets", f"got {len(assets)} assets, expected at most {MAX_ASSETS}")
        return
    for first in range(0, max(len(assets), 1), _ASSETS_AT_A_TIME):
        part = {**declared, "assets": assets[first : first + _ASSETS_AT_A_TIME]}
        if not schema.is_valid(part):
            yield from schema_faults(schema, part, placed=partial(_shifted, first))
            return


def _shifted(first: int, place: list[str | int]) -> list[str | int]:
    """The place in the manifest of a place in its part that begins with the asset of index `first`."""
    match place:
        case ["assets", int(index), *rest]:
            return ["assets", first + index, *rest]
        case _:
            return place
