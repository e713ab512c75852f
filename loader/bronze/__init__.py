"""Bronze: judged lines land through dlt, and become visible in one transaction."""

from __future__ import annotations

from loader.bronze.batch import Batch
from loader.bronze.completion import AssetReading, complete
from loader.bronze.landing import BATCH_BYTES, BATCH_LINES, AssetToRead, judged_lines, land
from loader.bronze.load import BronzeLoader, staging_dataset

__all__ = [
    "BATCH_BYTES",
    "BATCH_LINES",
    "AssetReading",
    "AssetToRead",
    "Batch",
    "BronzeLoader",
    "complete",
    "judged_lines",
    "land",
    "staging_dataset",
]
