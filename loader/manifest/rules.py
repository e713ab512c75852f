"""Rules that a schema cannot say: a manifest against its contract, and against itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loader.kinds import Kind
from loader.manifest.model import Manifest, Violation

UNKNOWN_LICENSE = "unknown"


def violations_of(manifest: Manifest, kinds: Mapping[str, Kind]) -> tuple[Violation, ...]:
    """Every broken rule of a manifest that keeps its schema; empty when it is good."""
    return (
        *_against_contract(manifest, kinds),
        *_against_itself(manifest),
    )


def _against_contract(manifest: Manifest, kinds: Mapping[str, Kind]) -> Iterator[Violation]:
    contract = kinds.get(manifest.contract_ref)
    if contract is None:
        known = ", ".join(kinds)
        yield Violation(
            "unknown_contract_ref",
            "$.contract_ref",
            f"got {manifest.contract_ref!r}, expected one of {known}",
        )
        return
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
    for place, asset in enumerate(manifest.assets):
        if asset.asset_type not in contract.asset_types:
            yield Violation(
                "asset_type_contradicts_contract",
                f"$.assets[{place}].asset_type",
                f"got {asset.asset_type!r}, expected one of {', '.join(contract.asset_types)}",
            )


def _against_itself(manifest: Manifest) -> Iterator[Violation]:
    window = manifest.selection_window
    if window is None and manifest.load_mode != "full":
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
