"""What is read goes into Bronze, in bounded loads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from loader.bronze.batch import Batch
from loader.bronze.load import BronzeLoader
from loader.bronze.reading import AssetReading
from loader.bronze.rows import Chunk


@dataclass(frozen=True, slots=True)
class Landed:
    """What went into Bronze; nothing of it is visible before its loads are completed."""

    load_ids: tuple[str, ...]
    readings: tuple[AssetReading, ...]

    def __add__(self, other: Landed) -> Landed:
        return Landed(self.load_ids + other.load_ids, self.readings + other.readings)


@dataclass(frozen=True, slots=True)
class Progress:
    """Another load is in: so many lines, of so many bytes of content."""

    line_count: int
    content_bytes: int


def land(read: Iterable[Chunk | AssetReading], loader: BronzeLoader, progress: Callable[[Progress], None]) -> Landed:
    """Load the chunks, and return what was counted per asset.

    Raises what reading and loading raise; loads made by then stay invisible, and repair removes them.
    """
    load_ids: list[str] = []
    readings = []
    batch = Batch(loader.run_id, loader.kind.name)

    def load() -> None:
        load_ids.append(loader.load(batch))
        progress(Progress(batch.line_count, batch.content_bytes))
        batch.clear()

    for part in read:
        if isinstance(part, AssetReading):
            readings.append(part)
            continue
        batch.add(part)
        if batch.is_full:
            load()
    if not batch.is_empty:
        load()
    return Landed(tuple(load_ids), tuple(readings))
