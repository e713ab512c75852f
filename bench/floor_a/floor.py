"""The floor: the least that must be done, by hand. No dlt, no dbt, no ledger, no digests, no tests.

Two processes read, validate and fingerprint with the product's own judge and copy into temporary tables; from there
each batch goes into the product's Bronze tables, first come first kept. One statement then makes a typed ticket
table. Whoever wants to be faster than this has to do less, or to use another database.
"""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import uuid
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.floor_a.judge.bounds import KEPT_LINE_BYTES
from bench.floor_a.judge.content import open_content
from bench.floor_a.judge.lines import Line, is_blank, iter_lines
from bench.floor_a.judge.ruleset import load_ruleset
from bench.floor_a.judge.ticket import AcceptedRecord, RejectedRecord
from loader.warehouse import Warehouse

HERE = Path(__file__).parent
PROCESSES = 2
BATCH_LINES = 50_000

_STAGED = ("raw_ticket_event", "asset_line", "rejected_record")
_MERGE = """
insert into bronze.raw_ticket_event
select distinct on (event_id) * from staged_raw_ticket_event order by event_id
on conflict do nothing;
insert into bronze.asset_line select * from staged_asset_line on conflict do nothing;
insert into bronze.rejected_record select * from staged_rejected_record on conflict do nothing;
truncate staged_raw_ticket_event, staged_asset_line, staged_rejected_record;
"""

_TICKETS = """
create table public.ticket (
    ticket_id text primary key, record_source text not null, schema_version text not null, customer_id text not null,
    org_id text, status text not null, priority text not null, category text, product_line text not null,
    product_version text, subject text, error_codes jsonb, asset_ids jsonb, assignee_id text, sla_tier text,
    sla_due_at timestamptz, created_at timestamptz not null, updated_at timestamptz, resolved_at timestamptz,
    pii_level text not null, pii_redacted boolean, quality_gate text not null, owner text not null, tags jsonb,
    partition_key date not null, event_id uuid not null
);
set work_mem = '256MB';
set jit = off;
analyze bronze.raw_ticket_event;
insert into public.ticket
with winners as (
    select distinct on (ticket_id) event_id
    from bronze.raw_ticket_event
    order by ticket_id, coalesce(updated_at, created_at) desc, asset_id desc, line_number desc
),
parsed as (
    select event.*, event.raw_payload::jsonb as fields
    from bronze.raw_ticket_event as event
    inner join winners using (event_id)
    offset 0
)
select
    ticket_id, source_id, fields ->> 'schema_version', customer_id, fields ->> 'org_id', fields ->> 'status',
    fields ->> 'priority', fields ->> 'category', fields ->> 'product_line', fields ->> 'product_version',
    fields ->> 'subject', fields -> 'error_codes', fields -> 'asset_ids', fields ->> 'assignee_id',
    fields ->> 'sla_tier', sla_due_at, created_at, updated_at, resolved_at, fields ->> 'pii_level',
    (fields ->> 'pii_redacted')::boolean, fields ->> 'quality_gate', fields ->> 'owner', fields -> 'tags',
    partition_key, event_id
from parsed;
"""


def prepare(warehouse: Warehouse) -> None:
    """Once per database, which holds nothing yet."""
    with closing(warehouse.connect(autocommit=True)) as connection:
        connection.cursor().execute((HERE / "bronze.sql").read_text(encoding="utf-8"))


def load(warehouse: Warehouse, files: Sequence[Path]) -> None:
    """Files into Bronze; the files themselves are not hashed."""
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        shares = _shares(files)
        pool.starmap(_load_share, [(warehouse, share) for share in shares])


def make_tickets(warehouse: Warehouse) -> None:
    with closing(warehouse.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_TICKETS)


def _shares(files: Sequence[Path]) -> list[list[tuple[int, Path]]]:
    """Files with their numbers, in as many shares of about equal bytes as there are processes."""
    shares: list[list[tuple[int, Path]]] = [[] for _ in range(PROCESSES)]
    sizes = [0] * PROCESSES
    by_size = sorted(enumerate(files, 1), key=lambda item: -_work(item[1]))
    for number, path in by_size:
        smallest = sizes.index(min(sizes))
        shares[smallest].append((number, path))
        sizes[smallest] += _work(path)
    return shares


def _work(path: Path) -> int:
    return path.stat().st_size * (4 if path.suffix == ".gz" else 1)


def _load_share(warehouse: Warehouse, share: Sequence[tuple[int, Path]]) -> None:
    ruleset = load_ruleset(HERE / "contracts")
    run_id = str(uuid.uuid4())
    with closing(warehouse.connect()) as connection, connection.cursor() as cursor:
        for table in _STAGED:
            cursor.execute(f"create temporary table staged_{table} (like bronze.{table})")
        connection.commit()
        rows = _Rows(run_id)
        for asset_id, path in share:
            for line in iter_lines(open_content(path, "gzip" if path.suffix == ".gz" else "identity")):
                rows.add(asset_id, line, None if is_blank(line.body) else ruleset.judge(line.body))
                if rows.line_count == BATCH_LINES:
                    _store(cursor, rows)
        _store(cursor, rows)


def _store(cursor: Any, rows: _Rows) -> None:
    for table, text in rows.take().items():
        cursor.copy_expert(f"copy staged_{table} from stdin", io.BytesIO(b"".join(text)))
    cursor.execute(_MERGE)
    cursor.connection.commit()


class _Rows:
    """Lines as rows of PostgreSQL's text format for COPY, in the tables' column order."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._clear()

    def _clear(self) -> None:
        self._tables: dict[str, list[bytes]] = {table: [] for table in _STAGED}
        self.line_count = 0

    def take(self) -> dict[str, list[bytes]]:
        taken = self._tables
        self._clear()
        return taken

    def add(self, asset_id: int, line: Line, judged: AcceptedRecord | RejectedRecord | None) -> None:
        self.line_count += 1
        event_id = partition = r"\N"
        if isinstance(judged, AcceptedRecord):
            kind, event_id, partition = "record", judged.record_fingerprint[:16].hex(), str(judged.partition_key)
            self._tables["raw_ticket_event"].append(self._event(asset_id, line, judged, event_id, partition))
        elif judged is not None:
            kind, partition = "rejected", str(judged.partition_key or r"\N")
            self._tables["rejected_record"].append(self._reject(asset_id, line, judged, partition))
        else:
            kind = "blank"
        self._tables["asset_line"].append(
            f"{line.offset}\t{line.length}\t{event_id}\t{asset_id}\t{line.number}\t1\t{partition}\t{kind}\tfloor\n".encode()
        )

    def _event(self, asset_id: int, line: Line, record: AcceptedRecord, event_id: str, partition: str) -> bytes:
        texts = _escaped(record.source_id, record.ticket_id, record.customer_id)
        return b"".join(
            (
                f"{event_id}\t\\\\x{record.record_fingerprint.hex()}\t{texts}\t{record.created_at}\t".encode(),
                f"{_instant(record.updated_at)}\t{_instant(record.resolved_at)}\t".encode(),
                f"{_instant(record.sla_due_at)}\t{partition}\t".encode(),
                record.canonical.replace(b"\\", b"\\\\"),
                f"\t{_escaped(record.ingest_batch_id)}\t{{{','.join(record.warning_codes)}}}\t".encode(),
                f"{asset_id}\t{line.number}\t{self._run_id}\tfloor\n".encode(),
            )
        )

    def _reject(self, asset_id: int, line: Line, reject: RejectedRecord, partition: str) -> bytes:
        codes = ",".join(reject.reason_codes)
        texts = _escaped(reject.message, reject.json_path)
        kept = line.body[:KEPT_LINE_BYTES].hex()
        sha256 = hashlib.sha256(line.body).hexdigest()
        return (
            f"{asset_id}\t{line.number}\t1\t{partition}\t{{{codes}}}\t{texts}\t\\\\x{kept}\t\\\\x{sha256}\t"
            f"{self._run_id}\tfloor\n"
        ).encode()


def _instant(value: datetime | None) -> str:
    return r"\N" if value is None else str(value)


def _escaped(*values: str) -> str:
    return "\t".join(map(_escape, values))


def _escape(value: str) -> str:
    if "\\" in value or "\t" in value or "\n" in value or "\r" in value:
        value = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return value
