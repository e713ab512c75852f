"""The manifest room: what a batch declares, read as a whole or refused as a whole."""

from loader.manifest.build import BatchTerms, BuiltManifest, build_manifest
from loader.manifest.dialect import parse_manifests, registered_manifest
from loader.manifest.files import is_hidden, manifests_folder, seed_manifests, write_manifest
from loader.manifest.implicit import implicit_manifest, require_file_of_kind
from loader.manifest.model import (
    Asset,
    JudgementWord,
    Manifest,
    SidecarOf,
    Violation,
)
from loader.manifest.parse import MANIFEST_TOO_LARGE, ManifestRefusedError, parse_manifest
from loader.manifest.rules import DAY_ASSUMED, MODE_NOT_LANDED, TYPE_NOT_READ, UNKNOWN_LICENSE
from loader.manifest.sequence import BatchId, SequenceError, sequence_of

__all__ = [
    "DAY_ASSUMED",
    "MANIFEST_TOO_LARGE",
    "MODE_NOT_LANDED",
    "TYPE_NOT_READ",
    "UNKNOWN_LICENSE",
    "Asset",
    "BatchId",
    "BatchTerms",
    "BuiltManifest",
    "JudgementWord",
    "Manifest",
    "ManifestRefusedError",
    "SequenceError",
    "SidecarOf",
    "Violation",
    "build_manifest",
    "implicit_manifest",
    "is_hidden",
    "manifests_folder",
    "parse_manifest",
    "parse_manifests",
    "registered_manifest",
    "require_file_of_kind",
    "seed_manifests",
    "sequence_of",
    "write_manifest",
]
