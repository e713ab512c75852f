"""The gate: what a manifest declares against what the bytes are, one judgement per asset."""

from loader.bounds import ExpansionLimits
from loader.gate.gate import base_folder, inspect_manifest
from loader.gate.inspection import Inspection, inspect, inspect_file
from loader.gate.judgement import (
    REQUIRED_METADATA,
    AssetJudgement,
    Finding,
    GateReport,
    Judgement,
    judge_asset,
    judgement_of,
    withhold,
)
from loader.gate.location import AssetRefusedError, allowed_roots, locate, open_within, read_manifest

__all__ = [
    "REQUIRED_METADATA",
    "AssetJudgement",
    "AssetRefusedError",
    "ExpansionLimits",
    "Finding",
    "GateReport",
    "Inspection",
    "Judgement",
    "allowed_roots",
    "base_folder",
    "inspect",
    "inspect_file",
    "inspect_manifest",
    "judge_asset",
    "judgement_of",
    "locate",
    "open_within",
    "read_manifest",
    "withhold",
]
