"""What is read goes into Bronze in bounded loads: chunks are gathered until there are enough for one.

Each event occurs once in a load: insert-only does not deduplicate within one, and a repeated key would fail it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from loader.bronze.columns import LOAD_ID, RECORD_EVENT, RECORD_KIND, RUN_ID, BronzeTable
from loader.bronze.reading import AssetReading
from loader.bronze.rows import Chunk

if TYPE_CHECKING:
    from loader.bronze.load import BronzeLoader

BATCH_LINES = 50_000
BATCH_BYTES = 192 * 1024 * 1024


class Batch:
    """Mutable while one load is gathered; bounded, so that memory does not grow with the files."""

    def __init__(self, run_id: uuid.UUID, record_kind: str) -> None:
        self._constants = {RUN_ID: run_id.bytes, RECORD_KIND: record_kind}
        self.clear()

    def clear(self) -> None:
        self._chunks: list[Chunk] = []
        self._seen: set[bytes] = set()
        self._bytes = 0
        # As read, out of the window or not.
        self.line_count = 0
        self.content_bytes = 0

    def add(self, chunk: Chunk) -> None:
        """Take the chunk's rows; an event that this batch has already is left out."""
        events = chunk.tables[RECORD_EVENT.name]
        places = []
        for place, event_id in enumerate(events.column("event_id").to_pylist()):
            if event_id not in self._seen:
                self._seen.add(event_id)
                places.append(place)
        if len(places) < events.num_rows:
            tables = {**chunk.tables, RECORD_EVENT.name: events.take(pa.array(places, pa.int64()))}
            chunk = replace(chunk, tables=tables)
        self._chunks.append(chunk)
        self._bytes += sum(int(table.nbytes) for table in chunk.tables.values())
        self.line_count += chunk.line_count
        self.content_bytes += chunk.content_bytes

    @property
    def is_full(self) -> bool:
        return self.line_count >= BATCH_LINES or self._bytes >= BATCH_BYTES

    @property
    def is_empty(self) -> bool:
        return not self._chunks

    def row_count(self, table: BronzeTable) -> int:
        return sum(chunk.tables[table.name].num_rows for chunk in self._chunks)

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """First and last created_at of the batch's events, UTC; None without events."""
        instants = [chunk.tables[RECORD_EVENT.name].column("created_at") for chunk in self._chunks]
        found = pc.min_max(pa.chunked_array([part for column in instants for part in column.chunks], instants[0].type))
        first, last = found["min"].as_py(), found["max"].as_py()
        return None if first is None else (first, last)

    def tables(self, table: BronzeTable, load_id: str) -> Iterator[pa.Table]:
        """The rows of one Bronze table, chunk by chunk, with what all rows of a load share."""
        constants = {**self._constants, LOAD_ID: load_id}
        for chunk in self._chunks:
            rows = chunk.tables[table.name]
            for field in table.arrow_schema:
                if field.name in constants and rows.num_rows:
                    value = pa.scalar(constants[field.name], field.type)
                    rows = rows.append_column(field, pa.repeat(value, rows.num_rows))
            if rows.num_rows:
                yield rows


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
