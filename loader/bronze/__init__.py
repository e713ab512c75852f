"""Bronze: judged lines land through dlt, and become visible in one transaction."""

from __future__ import annotations

from loader.bronze.batch import Batch
from loader.bronze.completion import complete
from loader.bronze.landing import Landed, Progress, land
from loader.bronze.load import BronzeLoader, staging_dataset
from loader.bronze.reading import AssetReading, AssetToRead, Terms, judged_lines, read_assets
from loader.bronze.rows import Chunk, Rows
from loader.bronze.workers import Order, land_in_processes

__all__ = [
    "AssetReading",
    "AssetToRead",
    "Batch",
    "BronzeLoader",
    "Chunk",
    "Landed",
    "Order",
    "Progress",
    "Rows",
    "Terms",
    "complete",
    "judged_lines",
    "land",
    "land_in_processes",
    "read_assets",
    "staging_dataset",
]
