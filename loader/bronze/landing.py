"""What is read goes into Bronze, in bounded loads."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from loader.bronze.batch import Batch
from loader.bronze.completion import AssetReading
from loader.bronze.load import BronzeLoader
from loader.bronze.rows import Chunk


def land(read: Iterable[Chunk | AssetReading], loader: BronzeLoader, run_id: uuid.UUID) -> list[AssetReading]:
    """Load the chunks, and return what was counted per asset. Nothing of it is visible yet.

    Raises what reading and loading raise; loads made by then stay invisible, and repair removes them.
    """
    readings = []
    batch = Batch(run_id)
    for part in read:
        if isinstance(part, AssetReading):
            readings.append(part)
            continue
        batch.add(part)
        if batch.is_full:
            loader.load(batch)
            batch.clear()
    if not batch.is_empty:
        loader.load(batch)
    return readings
