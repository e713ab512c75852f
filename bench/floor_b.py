"""Floor B, "proved by hand": what the product leaves on disk, and one proof of it, by the shortest way that is known.

The same durable outputs as the product's: archive by SHA-256, lines, events, rejects, the winner of each ticket with
its versions counted and its file and line, and the copy that readers see with a digest for each row and day. Then one
pass over all of it in plain SQL. COPY and a process a core, indexes when the tables are full; no dlt, no dbt, no
ledger, no guard, no roles, nothing that a second run could use. How much the product costs beyond this is the price of
being repeatable; how much this costs beyond floor A is the price of a proof.

The judge and Bronze's tables are floor A's, frozen.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from bench.floor_a import floor as floor_a
from bench.measure import BenchError
from loader.warehouse import Warehouse

_INDEX = re.compile(r"create index .*?;", re.DOTALL)
_LINE_KEY = "primary key (asset_id, line_number, ruleset_id)"

# A session that sorts in memory, and works on both cores where the server lets it.
_SESSION = """
set work_mem = '256MB';
set maintenance_work_mem = '512MB';
set jit = off;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0.005;
set synchronous_commit = off;
"""

# One digest of a row: hash_record_extended alone is linear in its columns, so that swapped values would go unseen.
_DIGEST = "pg_catalog.hashtextextended(pg_catalog.hash_record_extended(row({}), 0)::text, 0)"
_FIELDS = (
    "ticket_id", "record_source", "schema_version", "customer_id", "org_id", "status", "priority", "category",
    "product_line", "product_version", "error_codes", "asset_ids", "assignee_id", "sla_tier", "sla_due_at",
    "created_at", "updated_at", "resolved_at", "pii_level", "pii_redacted", "quality_gate", "owner", "tags",
    "partition_key", "version_count", "event_id",
)  # fmt: skip
# Typed from the payload alone: nothing that the judge has typed is believed.
_FROM_PAYLOAD = """
    fields.ticket_id, fields.source_id as record_source, fields.schema_version, fields.customer_id, fields.org_id,
    fields.status, fields.priority, fields.category, fields.product_line, fields.product_version, fields.error_codes,
    fields.asset_ids, fields.assignee_id, fields.sla_tier,
    date_trunc('microseconds', fields.sla_due_at) as sla_due_at, fields.created_at, fields.updated_at,
    fields.resolved_at, fields.pii_level, fields.pii_redacted, fields.quality_gate, fields.owner, fields.tags,
    (fields.created_at at time zone 'UTC')::date as partition_key
"""
_FIELD_TYPES = """
    ticket_id text, source_id text, schema_version text, customer_id text, org_id text, status text, priority text,
    category text, product_line text, product_version text, error_codes jsonb, asset_ids jsonb, assignee_id text,
    sla_tier text, sla_due_at timestamptz, created_at timestamptz, updated_at timestamptz, resolved_at timestamptz,
    pii_level text, pii_redacted boolean, quality_gate text, owner text, tags jsonb
"""

# The winner of each ticket by instant, file, line and fingerprint, then its fields.
_TICKETS = f"""
create schema silver;
create table silver.ticket as
with ranked as (
    select
        event_id,
        row_number() over (
            partition by ticket_id
            order by coalesce(updated_at, created_at) desc, asset_id desc, line_number desc, record_fingerprint desc
        ) as place,
        count(*) over (partition by ticket_id) as version_count
    from bronze.raw_ticket_event
)
select {_FROM_PAYLOAD}, ranked.version_count, event.event_id, event.asset_id, event.line_number, event.run_id
from ranked
inner join bronze.raw_ticket_event as event on event.event_id = ranked.event_id
cross join lateral json_to_record(event.raw_payload::json) as fields ({_FIELD_TYPES})
where ranked.place = 1;
alter table silver.ticket add primary key (ticket_id);
"""

_RELEASE = f"""
create schema release;
create table release.ticket_row as
select 1::bigint as first_release_id, {_DIGEST.format(", ".join(_FIELDS))} as row_digest, ticket.*
from silver.ticket as ticket;
alter table release.ticket_row add primary key (partition_key, ticket_id, first_release_id);
create index on release.ticket_row (customer_id);
create table release.partition_version as
select partition_key, count(*) as ticket_count, sum(row_digest) as ticket_digest
from release.ticket_row group by partition_key;
"""

# Each returns the number of things that are wrong.
_PROOF = {
    "payloads are not those of their fingerprints": """
select count(*) from bronze.raw_ticket_event
where record_fingerprint <> sha256(convert_to(raw_payload, 'UTF8'))
    or event_id <> encode(substr(record_fingerprint, 1, 16), 'hex')::uuid
""",
    "lines do not tile their file": """
select count(*) from (
    select byte_offset, lag(byte_offset + byte_length, 1, 0) over (partition by asset_id order by line_number) as before
    from bronze.asset_line
) as tiled where byte_offset <> before
""",
    "lines have no fate": """
select count(*) from bronze.asset_line as line
left join bronze.raw_ticket_event as event on event.event_id = line.event_id
left join bronze.rejected_record as reject
    on line.kind = 'rejected' and reject.asset_id = line.asset_id and reject.line_number = line.line_number
where (line.kind = 'record' and event.event_id is null) or (line.kind = 'rejected' and reject.asset_id is null)
""",
    "tickets are not their payloads' winners": f"""
with claim as (
    select event.event_id, event.asset_id, event.line_number, event.record_fingerprint, {_FROM_PAYLOAD}
    from bronze.raw_ticket_event as event
    cross join lateral json_to_record(event.raw_payload::json) as fields ({_FIELD_TYPES})
),
winner as (
    select distinct on (ticket_id) claim.*, count(*) over (partition by ticket_id) as version_count
    from claim
    order by ticket_id, coalesce(updated_at, created_at) desc, asset_id desc, line_number desc, record_fingerprint desc
),
expected as (
    select partition_key, count(*) as ticket_count, sum({_DIGEST.format(", ".join(_FIELDS))}) as ticket_digest
    from winner group by partition_key
)
select count(*) from expected
full join release.partition_version as shown using (partition_key)
where (expected.ticket_count, expected.ticket_digest) is distinct from (shown.ticket_count, shown.ticket_digest)
""",
}


def prepare(warehouse: Warehouse) -> None:
    """Once per database, which holds nothing yet: Bronze's tables without what is made when they are full."""
    tables = _INDEX.sub("", (floor_a.HERE / "bronze.sql").read_text(encoding="utf-8"))
    head, line_table = tables.split("create table if not exists bronze.asset_line", 1)
    with closing(warehouse.connect(autocommit=True)) as connection:
        connection.cursor().execute(
            f"{head}create table if not exists bronze.asset_line{line_table.replace(f'    {_LINE_KEY},', '', 1)}"
        )


def archive(files: Sequence[Path], folder: Path) -> None:
    """Each file under its SHA-256, on the disk when this returns; a process a core."""
    with multiprocessing.get_context("spawn").Pool(floor_a.PROCESSES) as pool:
        pool.starmap(_archive_one, [(path, folder) for path in files], chunksize=1)


def _archive_one(path: Path, folder: Path) -> None:
    with path.open("rb") as file:
        name = hashlib.file_digest(file, "sha256").hexdigest()
    target = folder / name[:2] / name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def finish_bronze(warehouse: Warehouse) -> None:
    """Keys and indexes of the full tables."""
    indexes = _INDEX.findall((floor_a.HERE / "bronze.sql").read_text(encoding="utf-8"))
    _run(warehouse, f"alter table bronze.asset_line add {_LINE_KEY}", *indexes, "analyze")


def make_tickets(warehouse: Warehouse) -> None:
    _run(warehouse, _TICKETS)


def release(warehouse: Warehouse) -> None:
    _run(warehouse, _RELEASE)


def prove(warehouse: Warehouse) -> None:
    """Raises BenchError with what does not hold."""
    with closing(warehouse.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_SESSION)
        for what, statement in _PROOF.items():
            cursor.execute(statement)
            (count,) = cursor.fetchone()
            if count:
                raise BenchError(f"floor B: {count} {what}")


STAGES: dict[str, Callable[[Warehouse], None]] = {
    "indexes": finish_bronze,
    "tickets": make_tickets,
    "release": release,
    "proof": prove,
}


def _run(warehouse: Warehouse, *statements: str) -> None:
    with closing(warehouse.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute(_SESSION)
        for statement in statements:
            cursor.execute(statement)
