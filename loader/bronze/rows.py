"""Judged lines as rows of the three Bronze tables, gathered until they make an Arrow chunk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from loader.bounds import KEPT_LINE_BYTES
from loader.bronze.columns import ASSET_LINE, BRONZE, RECORD_EVENT, REJECTED_RECORD
from loader.contract import AcceptedRecord, RejectedRecord
from loader.reader import Line

CHUNK_LINES = 10_000
CHUNK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of each Bronze table, by its name; what a load adds to every row is not in them yet.

    They come from `line_count` lines of `content_bytes` bytes, terminators included.
    """

    tables: Mapping[str, pa.Table]
    line_count: int
    content_bytes: int


class Rows:
    """Mutable while a chunk is gathered. `add_*` take a line's judgement."""

    def __init__(self, ruleset_id: int) -> None:
        self._ruleset_id = ruleset_id
        self._clear()

    def _clear(self) -> None:
        self._rows: dict[str, list[tuple[object, ...]]] = {table.name: [] for table in BRONZE}
        self._bytes = 0
        self._line_count = 0
        self._content_bytes = 0

    def count(self, line: Line) -> None:
        """Count a line that was read, whether rows come of it or not."""
        self._line_count += 1
        self._content_bytes += line.length

    @property
    def is_full(self) -> bool:
        return self._line_count >= CHUNK_LINES or self._bytes >= CHUNK_BYTES

    @property
    def is_empty(self) -> bool:
        return self._line_count == 0

    def add_event(self, asset_id: int, line: Line, record: AcceptedRecord) -> None:
        self._bytes += len(record.canonical)
        self._rows[RECORD_EVENT.name].append(
            (
                record.record_fingerprint[:16],
                record.record_fingerprint,
                record.record_source,
                record.record_key,
                record.person_id,
                record.created_at,
                record.updated_at,
                record.partition_key,
                record.canonical,
                record.envelope,
                record.warning_codes,
                asset_id,
                line.number,
            )
        )

    def add_line(self, asset_id: int, line: Line, judged: AcceptedRecord | RejectedRecord | None) -> None:
        """Index the line; `judged` None means blank. A rejected line also gets its reject row."""
        event_id = kind = partition = None
        if judged is None:
            kind = "blank"
        elif isinstance(judged, AcceptedRecord):
            kind, event_id, partition = "record", judged.record_fingerprint[:16], judged.partition_key
        else:
            kind, partition = "rejected", judged.partition_key
            self._add_reject(asset_id, line, judged)
        self._rows[ASSET_LINE.name].append(
            (line.offset, line.length, event_id, asset_id, line.number, self._ruleset_id, partition, kind)
        )

    def _add_reject(self, asset_id: int, line: Line, reject: RejectedRecord) -> None:
        kept = line.body[:KEPT_LINE_BYTES]
        self._bytes += len(kept)
        self._rows[REJECTED_RECORD.name].append(
            (
                asset_id,
                line.number,
                self._ruleset_id,
                reject.partition_key,
                reject.reason_codes,
                reject.message,
                reject.json_path,
                kept,
                line.body_sha256 or hashlib.sha256(line.body).digest(),
            )
        )

    def take(self) -> Chunk:
        """The rows gathered so far, as Arrow; then there are none."""
        tables = {}
        for table in BRONZE:
            schema = table.read_schema
            columns = zip(*self._rows[table.name], strict=True) if self._rows[table.name] else [()] * len(schema)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            tables[table.name] = pa.Table.from_arrays(arrays, schema=schema)
        chunk = Chunk(tables, self._line_count, self._content_bytes)
        self._clear()
        return chunk
