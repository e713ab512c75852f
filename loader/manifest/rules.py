"""Rules that a schema cannot say: a manifest against its contract, and against itself."""

from __future__ import annotations

from collections.abc import Iterator

from loader.contract import json_path
from loader.kinds import metadata_fields
from loader.manifest.model import Manifest, Violation

UNKNOWN_LICENSE = "unknown"
# What metadata may say of any file; of one whose records are composed, also what its kind lets them.
METADATA_FIELDS = frozenset(("exported_at", "owner", "schema_version"))

# Notes of an entry that was translated; they are reason codes.
TYPE_NOT_READ = "asset_type_not_read"
MODE_NOT_LANDED = "load_mode_not_landed"
DAY_ASSUMED = "recorded_at_assumed"
# Modes that nothing here lands.
NOT_LANDED = ("cdc", "replay")


def violations_of(manifest: Manifest) -> tuple[Violation, ...]:
    """Every broken rule of a manifest that keeps its schema; empty when it is good."""
    return (
        *_against_contract(manifest),
        *_against_itself(manifest),
    )


def _against_contract(manifest: Manifest) -> Iterator[Violation]:
    contract = manifest.kind
    if manifest.modality != contract.modality:
        yield Violation(
            "modality_contradicts_contract",
            "$.modality",
            f"got {manifest.modality!r}, expected {contract.modality}",
        )
    if manifest.source_type not in contract.source_types:
        yield Violation(
            "source_type_contradicts_contract",
            "$.source_type",
            f"got {manifest.source_type!r}, expected one of {', '.join(contract.source_types)}",
        )
    landing = contract.landing
    known = METADATA_FIELDS if landing is None else METADATA_FIELDS | metadata_fields(landing)
    for place, asset in enumerate(manifest.assets):
        for name in sorted((asset.metadata or {}).keys() - known):
            yield Violation(
                "manifest_unknown_field",
                json_path(["assets", place, "metadata", name]),
                f"metadata of {contract.name} say nothing of the sort; expected some of {', '.join(sorted(known))}",
            )
        if contract.framing == "file" and asset.record_count not in (None, 1):
            yield Violation(
                "manifest_invalid_value",
                f"$.assets[{place}].record_count",
                f"got {asset.record_count}, expected 1 or nothing: a file of {contract.name} is one record",
            )
        if asset.asset_type not in contract.asset_types and TYPE_NOT_READ not in asset.notes:
            yield Violation(
                "asset_type_contradicts_contract",
                f"$.assets[{place}].asset_type",
                f"got {asset.asset_type!r}, expected one of {', '.join(contract.asset_types)}",
            )


def _against_itself(manifest: Manifest) -> Iterator[Violation]:
    window = manifest.selection_window
    if manifest.load_mode in NOT_LANDED and any(MODE_NOT_LANDED not in asset.notes for asset in manifest.assets):
        yield Violation(
            "manifest_invalid_value",
            "$.load_mode",
            f"got {manifest.load_mode!r}, which does not land; expected full, incremental or backfill",
        )
    elif window is None and manifest.load_mode != "full" and manifest.translation is None:
        yield Violation(
            "window_required_by_load_mode",
            "$.selection_window",
            f"load_mode {manifest.load_mode} needs a field, a start and an end, got null",
        )
    if window is not None and window.start >= window.end:
        yield Violation(
            "window_empty",
            "$.selection_window",
            f"expected start before end, got {window.start.isoformat()} and {window.end.isoformat()}",
        )
    first_place: dict[str, int] = {}
    for place, asset in enumerate(manifest.assets):
        if first_place.setdefault(asset.source_id, place) != place:
            yield Violation(
                "duplicate_source_id",
                f"$.assets[{place}].source_id",
                f"{asset.source_id!r} stands at $.assets[{first_place[asset.source_id]}] already",
            )
        if asset.canonization_status == "canonized" and asset.license.strip().lower() == UNKNOWN_LICENSE:
            yield Violation(
                "canonized_with_unknown_license",
                f"$.assets[{place}].license",
                "a canonized asset needs a known license; else it is a candidate",
            )
