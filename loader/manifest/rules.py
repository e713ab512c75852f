"""Rules that a schema cannot say: a manifest against its contract, and against itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loader.contract.schema import read_contract_file
from loader.manifest.model import Manifest, Violation

UNKNOWN_LICENSE = "unknown"


@dataclass(frozen=True, slots=True)
class KnownContract:
    """What a contract may come as. `schema` is a path in the contracts folder, None while not landed."""

    modality: str
    source_types: tuple[str, ...]
    asset_types: tuple[str, ...]
    is_landed: bool
    schema: str | None


@dataclass(frozen=True, slots=True)
class ContractRegistry:
    """The known contracts by contract_ref."""

    contracts: Mapping[str, KnownContract]


def load_registry(contracts_folder: Path) -> ContractRegistry:
    """contracts/manifest/registry.json as values. Raises CommandUsageError when it is missing or no JSON."""
    _, registry = read_contract_file(contracts_folder / "manifest" / "registry.json")
    return ContractRegistry(
        {
            contract_ref: KnownContract(
                modality=entry["modality"],
                source_types=tuple(entry["source_types"]),
                asset_types=tuple(entry["asset_types"]),
                is_landed=entry["is_landed"],
                schema=entry["schema"],
            )
            for contract_ref, entry in registry["contracts"].items()
        }
    )


def violations_of(manifest: Manifest, registry: ContractRegistry) -> tuple[Violation, ...]:
    """Every broken rule of a manifest that keeps its schema; empty when it is good."""
    return (
        *_against_contract(manifest, registry),
        *_against_itself(manifest),
    )


def _against_contract(manifest: Manifest, registry: ContractRegistry) -> Iterator[Violation]:
    contract = registry.contracts.get(manifest.contract_ref)
    if contract is None:
        known = ", ".join(registry.contracts)
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
