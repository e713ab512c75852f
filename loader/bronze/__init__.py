"""Bronze: judged lines land through dlt, and become visible in one transaction."""

from __future__ import annotations

from loader.bronze.batch import Batch
from loader.bronze.completion import AssetReading, complete
from loader.bronze.landing import land
from loader.bronze.load import BronzeLoader, staging_dataset
from loader.bronze.readers import read_in_processes
from loader.bronze.reading import AssetToRead, Terms, judged_lines, read_assets
from loader.bronze.rows import Chunk, Rows

__all__ = [
    "AssetReading",
    "AssetToRead",
    "Batch",
    "BronzeLoader",
    "Chunk",
    "Rows",
    "Terms",
    "complete",
    "judged_lines",
    "land",
    "read_assets",
    "read_in_processes",
    "staging_dataset",
]
