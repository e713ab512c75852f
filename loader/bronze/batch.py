"""Lines of one load, column by column, until they are Arrow tables.

A batch is bounded in lines and payload bytes, so memory does not grow with the file. Within a batch each event
occurs once: insert-only does not deduplicate within a load, and a repeated key would fail it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime

import pyarrow as pa

from loader.bronze.columns import ASSET_LINE, BRONZE, RAW_TICKET_EVENT, REJECTED_RECORD, BronzeTable
from loader.contract.ticket import AcceptedRecord, RejectedRecord
from loader.reader import Line

KEPT_REJECT_BYTES = 65536
_LOAD_ID = "_dlt_load_id"


class Batch:
    """Mutable while one load is gathered. `add_*` take a line's judgement; `tables` gives Arrow slices."""

    def __init__(self, *, run_id: uuid.UUID, ruleset_id: int, max_lines: int, max_bytes: int) -> None:
        self._run_id = run_id.bytes
        self._ruleset_id = ruleset_id
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self.clear()

    def clear(self) -> None:
        self._rows: dict[str, list[tuple[object, ...]]] = {table.name: [] for table in BRONZE}
        self._seen: set[bytes] = set()
        self._payload_bytes = 0
        self._line_count = 0
        self.first_created_at: datetime | None = None
        self.last_created_at: datetime | None = None

    @property
    def is_full(self) -> bool:
        return self._line_count >= self._max_lines or self._payload_bytes >= self._max_bytes

    @property
    def is_empty(self) -> bool:
        return not any(self._rows.values())

    def row_count(self, table: BronzeTable) -> int:
        return len(self._rows[table.name])

    def add_event(self, asset_id: int, line: Line, record: AcceptedRecord) -> None:
        """Add the line's event unless this batch has it already."""
        event_id = record.record_fingerprint[:16]
        self._line_count += 1
        if event_id in self._seen:
            return
        self._seen.add(event_id)
        self._payload_bytes += len(record.canonical)
        created_at = record.created_at
        if self.first_created_at is None or created_at < self.first_created_at:
            self.first_created_at = created_at
        if self.last_created_at is None or created_at > self.last_created_at:
            self.last_created_at = created_at
        self._rows[RAW_TICKET_EVENT.name].append(
            (
                event_id,
                record.record_fingerprint,
                record.source_id,
                record.ticket_id,
                record.customer_id,
                created_at,
                record.updated_at,
                record.resolved_at,
                record.sla_due_at,
                record.partition_key,
                record.canonical.decode(),
                record.ingest_batch_id,
                list(record.warning_codes),
                asset_id,
                line.number,
                self._run_id,
            )
        )

    def add_line(self, asset_id: int, line: Line, judged: AcceptedRecord | RejectedRecord | None) -> None:
        """Index the line; `judged` None means blank. A rejected line also gets its reject row."""
        self._line_count += 1
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
        kept = line.body[:KEPT_REJECT_BYTES]
        self._payload_bytes += len(kept)
        self._rows[REJECTED_RECORD.name].append(
            (
                asset_id,
                line.number,
                self._ruleset_id,
                reject.partition_key,
                list(reject.reason_codes),
                reject.message,
                reject.json_path,
                kept,
                line.body_sha256 or hashlib.sha256(line.body).digest(),
                self._run_id,
            )
        )

    def tables(self, table: BronzeTable, load_id: str, slice_rows: int = 20_000) -> Iterator[pa.Table]:
        """The rows of one Bronze table as Arrow tables of at most `slice_rows`, each carrying the load's id."""
        rows = self._rows[table.name]
        schema = table.arrow_schema
        for start in range(0, len(rows), slice_rows):
            columns = list(zip(*rows[start : start + slice_rows], strict=True))
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=False)]
            arrays.append(pa.array([load_id] * len(columns[0]), schema.field(_LOAD_ID).type))
            yield pa.Table.from_arrays(arrays, schema=schema)
