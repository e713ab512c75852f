"""One pass over the assets that a run must read: lines in, Bronze loads out, with what was counted."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from loader.bronze.batch import Batch
from loader.bronze.completion import AssetReading
from loader.bronze.load import BronzeLoader
from loader.contract.ruleset import Ruleset, too_long
from loader.contract.ticket import AcceptedRecord, RejectedRecord
from loader.reader import ContentEncoding, Line, count_lines, is_blank, iter_lines, open_content

BATCH_LINES = 200_000
BATCH_BYTES = 192 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AssetToRead:
    """An archived asset; `is_indexed`: its lines are in Bronze already and only events are wanted."""

    asset_id: int
    path: Path
    content_encoding: ContentEncoding
    fingerprint: str
    is_indexed: bool


def judged_lines(
    path: Path, content_encoding: ContentEncoding, fingerprint: str, ruleset: Ruleset
) -> Iterator[tuple[Line, AcceptedRecord | RejectedRecord | None]]:
    """Each line of a file with its judgement; None for a blank line. Memory does not grow with the file.

    Raises ContentChangedError at the end (or before) if the bytes read were not those of `fingerprint`.
    """
    for line in iter_lines(open_content(path, content_encoding, fingerprint=fingerprint)):
        if line.is_too_long:
            yield line, too_long(line.length)
        elif is_blank(line.body):
            yield line, None
        else:
            yield line, ruleset.judge(line.body)


def land(
    assets: Iterable[AssetToRead],
    loader: BronzeLoader,
    batch: Batch,
    *,
    ruleset: Ruleset,
    covers: Callable[[date], bool],
    line_limit: int | None,
) -> list[AssetReading]:
    """Read `assets` in order, load in bounded batches, and return what was counted per asset.

    All lines of an asset that is not indexed yet are indexed, whatever their partition; events land only where
    `covers` says so. `line_limit` bounds the lines read over all assets; the others are counted, not read.
    """
    readings = []
    remaining = line_limit
    with _without_garbage_collection():
        for asset in assets:
            reading = AssetReading(asset.asset_id, is_new_index=not asset.is_indexed)
            for line, judged in judged_lines(asset.path, asset.content_encoding, asset.fingerprint, ruleset):
                if remaining is not None and reading.indexed_line_count >= remaining:
                    break
                reading.indexed_line_count += 1
                _add(batch, asset, line, judged, reading, covers)
                if batch.is_full:
                    loader.load(batch)
                    batch.clear()
            reading.line_count = reading.indexed_line_count
            if remaining is not None:
                reading.line_count = count_lines(open_content(asset.path, asset.content_encoding))
                remaining -= reading.indexed_line_count
            readings.append(reading)
        if not batch.is_empty:
            loader.load(batch)
            batch.clear()
    return readings


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Lines and rows hold no cycles; the collector would walk all of a batch again and again (a third of the time).

    Collected once per load instead: dlt's objects do hold cycles.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _add(
    batch: Batch,
    asset: AssetToRead,
    line: Line,
    judged: AcceptedRecord | RejectedRecord | None,
    reading: AssetReading,
    covers: Callable[[date], bool],
) -> None:
    if not asset.is_indexed:
        batch.add_line(asset.asset_id, line, judged)
    if isinstance(judged, AcceptedRecord):
        reading.records[judged.partition_key] += 1
        if covers(judged.partition_key):
            batch.add_event(asset.asset_id, line, judged)
    elif judged is not None and judged.partition_key is not None:
        reading.rejects[judged.partition_key] += 1
