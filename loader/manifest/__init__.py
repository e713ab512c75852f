"""The manifest room: what a batch declares, read as a whole or refused as a whole."""

from loader.manifest.build import BatchTerms, BuiltManifest, build_manifest
from loader.manifest.files import is_hidden, manifests_folder, seed_manifests, write_manifest
from loader.manifest.implicit import implicit_manifest, require_file_of_kind
from loader.manifest.model import (
    Asset,
    JudgementWord,
    Manifest,
    Violation,
)
from loader.manifest.parse import MANIFEST_TOO_LARGE, ManifestRefusedError, parse_manifest
from loader.manifest.rules import UNKNOWN_LICENSE
from loader.manifest.sequence import SequenceError, sequence_of

__all__ = [
    "MANIFEST_TOO_LARGE",
    "UNKNOWN_LICENSE",
    "Asset",
    "BatchTerms",
    "BuiltManifest",
    "JudgementWord",
    "Manifest",
    "ManifestRefusedError",
    "SequenceError",
    "Violation",
    "build_manifest",
    "implicit_manifest",
    "is_hidden",
    "manifests_folder",
    "parse_manifest",
    "require_file_of_kind",
    "seed_manifests",
    "sequence_of",
    "write_manifest",
]
