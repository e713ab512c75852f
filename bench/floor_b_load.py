"""How floor B fills Bronze: a process a core judges its files and copies straight into tables without keys, in COPY's
binary format. What was delivered twice goes when all is there.

The judge is floor A's, frozen; the rows are those of floor A, each event with its first delivery.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import struct
import uuid
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.floor_a import floor as floor_a
from bench.floor_a.judge.bounds import KEPT_LINE_BYTES
from bench.floor_a.judge.content import open_content
from bench.floor_a.judge.lines import Line, is_blank, iter_lines
from bench.floor_a.judge.ruleset import load_ruleset
from bench.floor_a.judge.ticket import AcceptedRecord, RejectedRecord
from loader.warehouse import Warehouse

_TABLES = ("raw_ticket_event", "asset_line", "rejected_record")
_BEGIN = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_END = struct.pack(">h", -1)
_SENT_BYTES = 1 << 20
_RULESET_ID = 1

# A field is its length in bytes, then its value; instants are microseconds, and days, since 2000-01-01 UTC.
_NULL = struct.pack(">i", -1)
_LENGTH = struct.Struct(">i").pack
_INTEGER = struct.Struct(">ii").pack
_TWO_INTEGERS = struct.Struct(">iiii").pack
_INSTANT = struct.Struct(">iq").pack
_EVENT_HEAD = struct.Struct(">hi16si32s").pack
_RECORD_LINE = struct.Struct(">hiqiqi16siiiiiiii").pack
_OTHER_LINE_HEAD = struct.Struct(">hiqiqiiiiiii").pack
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST_DAY = _EPOCH.toordinal()
_TEXT_OID = 25
_LOAD = b"\0\0\0\x05floor"
_RECORD_LINE_END = b"\0\0\0\x06record" + _LOAD


def load(warehouse: Warehouse, files: Sequence[Path]) -> None:
    """Files into Bronze's tables; an event that was delivered n times is there n times."""
    with multiprocessing.get_context("spawn").Pool(floor_a.PROCESSES) as pool:
        pool.starmap(_load_share, [(warehouse, share) for share in floor_a._shares(files)])


def _load_share(warehouse: Warehouse, share: Sequence[tuple[int, Path]]) -> None:
    ruleset = load_ruleset(floor_a.HERE / "contracts")
    rows = _Rows(uuid.uuid4())
    with closing(warehouse.connect()) as connection, connection.cursor() as cursor:
        for asset_id, path in share:
            for line in iter_lines(open_content(path, "gzip" if path.suffix == ".gz" else "identity")):
                rows.add(asset_id, line, None if is_blank(line.body) else ruleset.judge(line.body))
                if rows.line_count == floor_a.BATCH_LINES:
                    _store(cursor, rows)
        _store(cursor, rows)


def _store(cursor: Any, rows: _Rows) -> None:
    for table, content in rows.take().items():
        cursor.copy_expert(f"copy bronze.{table} from stdin (format binary)", content, _SENT_BYTES)
    cursor.connection.commit()


class _Rows:
    """Lines as rows of PostgreSQL's binary format for COPY, in the tables' column order."""

    def __init__(self, run_id: uuid.UUID) -> None:
        self._run = _bytes(run_id.bytes) + _LOAD
        self._clear()

    def _clear(self) -> None:
        self._tables = {table: io.BytesIO() for table in _TABLES}
        self._add_event, self._add_line, self._add_reject = (table.writelines for table in self._tables.values())
        for table in self._tables.values():
            table.write(_BEGIN)
        self.line_count = 0

    def take(self) -> dict[str, io.BytesIO]:
        taken = self._tables
        for table in taken.values():
            table.write(_END)
            table.seek(0)
        self._clear()
        return taken

    def add(self, asset_id: int, line: Line, judged: AcceptedRecord | RejectedRecord | None) -> None:
        self.line_count += 1
        if isinstance(judged, AcceptedRecord):
            self._add_record(asset_id, line, judged)
            return
        day = _NULL
        if judged is not None:
            day = _day(judged.partition_key)
            self._add_reject(self._reject(asset_id, line, judged, day))
        head = _OTHER_LINE_HEAD(9, 8, line.offset, 8, line.length, -1, 4, asset_id, 4, line.number, 4, _RULESET_ID)
        self._add_line((head, day, _text("blank" if judged is None else "rejected"), _LOAD))

    def _add_record(self, asset_id: int, line: Line, record: AcceptedRecord) -> None:
        fingerprint = record.record_fingerprint
        event_id = fingerprint[:16]
        day = record.partition_key.toordinal() - _FIRST_DAY
        canonical = record.canonical
        self._add_event(
            (
                _EVENT_HEAD(17, 16, event_id, 32, fingerprint),
                _repeated(record.source_id),
                _text(record.ticket_id),
                _repeated(record.customer_id),
                _instant(record.created_at),
                _instant(record.updated_at),
                _instant(record.resolved_at),
                _instant(record.sla_due_at),
                _INTEGER(4, day),
                _LENGTH(len(canonical)),
                canonical,
                _repeated(record.ingest_batch_id),
                _texts(record.warning_codes),
                _TWO_INTEGERS(4, asset_id, 4, line.number),
                self._run,
            )
        )
        self._add_line(
            (
                _RECORD_LINE(
                    *(9, 8, line.offset, 8, line.length, 16, event_id),
                    *(4, asset_id, 4, line.number, 4, _RULESET_ID, 4, day),
                ),
                _RECORD_LINE_END,
            )
        )

    def _reject(self, asset_id: int, line: Line, reject: RejectedRecord, day: bytes) -> tuple[bytes, ...]:
        return (
            struct.pack(">h", 11),
            *(_INTEGER(4, number) for number in (asset_id, line.number, _RULESET_ID)),
            day,
            _texts(reject.reason_codes),
            _text(reject.message),
            _text(reject.json_path),
            _bytes(line.body[:KEPT_LINE_BYTES]),
            _bytes(hashlib.sha256(line.body).digest()),
            self._run,
        )


def _bytes(value: bytes) -> bytes:
    return _LENGTH(len(value)) + value


def _text(value: str) -> bytes:
    return _bytes(value.encode())


# For texts that many records share.
_repeated = lru_cache(maxsize=65_536)(_text)


def _instant(value: datetime | None) -> bytes:
    if value is None:
        return _NULL
    since = value - _EPOCH
    return _INSTANT(8, (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)


def _day(value: date | None) -> bytes:
    return _NULL if value is None else _INTEGER(4, value.toordinal() - _FIRST_DAY)


@lru_cache(maxsize=1024)
def _texts(values: tuple[str, ...]) -> bytes:
    """An array of texts: dimensions, no nulls, type; then length and first index of the one dimension."""
    if not values:
        return _bytes(struct.pack(">iii", 0, 0, _TEXT_OID))
    head = struct.pack(">iiiii", 1, 0, _TEXT_OID, len(values), 1)
    return _bytes(head + b"".join(map(_text, values)))
