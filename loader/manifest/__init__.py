"""The manifest room: what a batch declares, read as a whole or refused as a whole."""

from loader.manifest.model import (
    Asset,
    GatePolicy,
    JudgementWord,
    LoadMode,
    Manifest,
    SelectionWindow,
    Violation,
)
from loader.manifest.parse import ManifestRefusedError, parse_manifest
from loader.manifest.sequence import SequenceError, sequence_of

__all__ = [
    "Asset",
    "GatePolicy",
    "JudgementWord",
    "LoadMode",
    "Manifest",
    "ManifestRefusedError",
    "SelectionWindow",
    "SequenceError",
    "Violation",
    "parse_manifest",
    "sequence_of",
]
