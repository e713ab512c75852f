"""Assets in, chunks of Bronze rows out: one pass over each asset, in this process or in others beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from loader.bronze.rows import Chunk, Rows
from loader.contract import AcceptedRecord, RejectedRecord
from loader.facts import Facts, FactsDefect, FactsReader
from loader.kinds import Ruleset, asset_type_of, framed, judged_line
from loader.raw_zone import NO_BYTES
from loader.reader import ContentEncoding, Framed, Line


@dataclass(frozen=True, slots=True)
class AssetToRead:
    """An archived asset; `content_bytes` is its decompressed size.

    `is_indexed`: its lines are in Bronze already, and their counts are known; `offers_lines`: they are loaded, for the
    first time or once more. `declaration`: the declared part of records that are composed; `facts`: of a file that is a
    record, those of its bytes, None: they are read.
    """

    asset_id: int
    path: Path
    content_encoding: ContentEncoding
    fingerprint: str
    content_bytes: int
    is_indexed: bool
    offers_lines: bool
    declaration: str = ""
    facts: Facts | FactsDefect | None = None

    @property
    def is_erased(self) -> bool:
        """The file is a record, and no byte of it is left. The gate admits none without bytes."""
        return self.fingerprint == NO_BYTES

    def framed(self, ruleset: Ruleset, reader: FactsReader) -> Framed:
        """The file as its kind frames it. Facts that are not known are read."""
        file, landing = Framed(self.path, self.content_encoding, self.fingerprint), ruleset.landing
        if landing.facts is None:
            return framed(file, landing, self.declaration, None)
        if self.is_erased:
            return replace(file, record=b"", erased_bytes=self.content_bytes)
        found = self.facts
        # An object that is gone has no facts: whoever reads its line says that it is gone.
        if found is None and self.path.is_file():
            found = reader.read(self.path, landing.facts, asset_type_of(self.declaration))
        return framed(file, landing, self.declaration, found)


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which ruleset lines are read, and which partitions' events land: `[start, end)`, None for all."""

    ruleset_id: int
    ruleset_sha256: str
    window: tuple[date, date] | None

    def cover(self, partition: date) -> bool:
        return self.window is None or self.window[0] <= partition < self.window[1]


@dataclass(slots=True)
class AssetReading:
    """What the reader counted in one asset: lines of it in all, lines indexed, and lines per partition.

    `records` counts lines of kind record, `rejects` rejected lines with a readable day.
    """

    asset_id: int
    line_count: int = 0
    indexed_line_count: int = 0
    is_new_index: bool = True
    records: Counter[date] = field(default_factory=Counter)
    rejects: Counter[date] = field(default_factory=Counter)


def judged_lines(file: Framed, ruleset: Ruleset) -> Iterator[tuple[Line, AcceptedRecord | RejectedRecord | None]]:
    """Each line of a file with its judgement; None for a blank line. Memory does not grow with the file.

    Raises ContentChangedError at the end (or before) if the bytes read were not those of its fingerprint.
    """
    for line in file.lines():
        yield line, judged_line(line, ruleset, file)


def read_assets(
    assets: Iterable[AssetToRead], terms: Terms, ruleset: Ruleset, *, line_limit: int | None = None
) -> Iterator[Chunk | AssetReading]:
    """Read `assets` in order; yields chunks as they fill up, and what was counted after each asset.

    All lines of an asset that is not indexed yet are indexed, whatever their partition. `line_limit` bounds the
    lines read over all assets; the others are counted, not read. A chunk may hold lines of several assets, and the
    last one comes after the last asset's reading.
    """
    with FactsReader() as reader:
        yield from _read(((asset, asset.framed(ruleset, reader)) for asset in assets), terms, ruleset, line_limit)


def _read(
    files: Iterable[tuple[AssetToRead, Framed]], terms: Terms, ruleset: Ruleset, line_limit: int | None
) -> Iterator[Chunk | AssetReading]:
    rows = Rows(terms.ruleset_id)
    remaining = line_limit
    for asset, file in files:
        reading = AssetReading(asset.asset_id, is_new_index=not asset.is_indexed)
        for line, judged in judged_lines(file, ruleset):
            if remaining is not None and reading.indexed_line_count >= remaining:
                break
            reading.indexed_line_count += 1
            _add(rows, asset, line, judged, reading, terms)
            if rows.is_full:
                yield rows.take()
        reading.line_count = reading.indexed_line_count
        if remaining is not None:
            reading.line_count = file.count_lines()
            remaining -= reading.indexed_line_count
        yield reading
    if not rows.is_empty:
        yield rows.take()


def _add(
    rows: Rows,
    asset: AssetToRead,
    line: Line,
    judged: AcceptedRecord | RejectedRecord | None,
    reading: AssetReading,
    terms: Terms,
) -> None:
    rows.count(line)
    if asset.offers_lines:
        rows.add_line(asset.asset_id, line, judged)
    if isinstance(judged, AcceptedRecord):
        reading.records[judged.partition_key] += 1
        if terms.cover(judged.partition_key):
            rows.add_event(asset.asset_id, line, judged)
    elif judged is not None and judged.partition_key is not None:
        reading.rejects[judged.partition_key] += 1
