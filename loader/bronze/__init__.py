"""Bronze: judged lines land through dlt, and become visible in one transaction."""

from __future__ import annotations

from loader.bronze.batch import Batch, Landed, Progress, land
from loader.bronze.completion import complete
from loader.bronze.load import BronzeLoader
from loader.bronze.reading import AssetReading, AssetToRead, Terms, judged_lines, read_assets
from loader.bronze.rows import Rows
from loader.bronze.workers import Order, land_in_processes
from loader.bronze.working_folder import is_claimed

__all__ = [
    "AssetReading",
    "AssetToRead",
    "Batch",
    "BronzeLoader",
    "Landed",
    "Order",
    "Progress",
    "Rows",
    "Terms",
    "complete",
    "is_claimed",
    "judged_lines",
    "land",
    "land_in_processes",
    "read_assets",
]
