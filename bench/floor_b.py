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

# What is made when the tables are full.
_INDEX = re.compile(r"create index .*?;", re.DOTALL)
_KEY = re.compile(r",?\s*primary key( \([a-z_, ]+\))?(?=,?\n)")

# A session that sorts in memory, and works on both cores where the server lets it.
_SESSION = """
set work_mem = '256MB';
set maintenance_work_mem = '512MB';
set jit = off;
set parallel_setup_cost = 0;
set parallel_tuple_cost = 0.005;
"""

# What was delivered twice keeps its first place; found in the lines, which are narrow.
_FIRST_DELIVERIES = """
delete from bronze.raw_ticket_event as event
using (
    select asset_id, line_number, row_number() over (partition by event_id order by asset_id, line_number) as place
    from bronze.asset_line
    where event_id in (
        select event_id from bronze.asset_line where event_id is not null group by event_id having count(*) > 1
    )
) as delivery
where delivery.place > 1 and event.asset_id = delivery.asset_id and event.line_number = delivery.line_number
"""
_KEYS = {
    "raw_ticket_event": "event_id",
    "asset_line": "asset_id, line_number, ruleset_id",
    "rejected_record": "asset_id, line_number, ruleset_id",
}

# The digest of a ticket, from that of its content: hash_record_extended alone is linear in its columns, so that swapped
# values would go unseen.
_CONTENT = "pg_catalog.hash_record_extended(row({}), 0)"
_DIGEST = "pg_catalog.hashtextextended({}::text, {})"
FIELDS = (
    "ticket_id", "record_source", "schema_version", "customer_id", "org_id", "status", "priority", "category",
    "product_line", "product_version", "error_codes", "asset_ids", "assignee_id", "sla_tier", "sla_due_at",
    "created_at", "updated_at", "resolved_at", "pii_level", "pii_redacted", "quality_gate", "owner", "tags",
    "partition_key", "event_id",
)  # fmt: skip
_VERSION_ORDER = "coalesce(updated_at, created_at) desc, asset_id desc, line_number desc, record_fingerprint desc"

# The winner of each ticket by instant, file, line and fingerprint. Only tickets of several versions are sorted; what
# the judge has typed is taken from it.
_TICKETS = f"""
create temporary table version on commit drop as
select
    event_id,
    row_number() over (partition by ticket_id order by {_VERSION_ORDER}) as place,
    count(*) over (partition by ticket_id) as version_count
from bronze.raw_ticket_event
where ticket_id in (select ticket_id from bronze.raw_ticket_event group by ticket_id having count(*) > 1);
analyze version;
create schema silver;
create table silver.ticket as
select
    event.ticket_id, event.source_id as record_source, fields.schema_version, event.customer_id, fields.org_id,
    fields.status, fields.priority, fields.category, fields.product_line, fields.product_version, fields.error_codes,
    fields.asset_ids, fields.assignee_id, fields.sla_tier, event.sla_due_at, event.created_at, event.updated_at,
    event.resolved_at, fields.pii_level, fields.pii_redacted, fields.quality_gate, fields.owner, fields.tags,
    event.partition_key, coalesce(version.version_count, 1) as version_count, event.event_id, event.asset_id,
    event.line_number, event.run_id
from bronze.raw_ticket_event as event
left join version on version.event_id = event.event_id
cross join lateral json_to_record(event.raw_payload::json) as fields (
    schema_version text, org_id text, status text, priority text, category text, product_line text,
    product_version text, error_codes jsonb, asset_ids jsonb, assignee_id text, sla_tier text, pii_level text,
    pii_redacted boolean, quality_gate text, owner text, tags jsonb
)
where coalesce(version.place, 1) = 1;
alter table silver.ticket add primary key (ticket_id);
"""

_RELEASE = f"""
create schema release;
create table release.ticket_row as
select
    1::bigint as first_release_id,
    {_DIGEST.format(_CONTENT.format(", ".join(FIELDS)), "version_count")} as row_digest,
    ticket.*
from silver.ticket as ticket;
alter table release.ticket_row add primary key (partition_key, ticket_id, first_release_id);
create index on release.ticket_row (customer_id);
create table release.partition_version as
select partition_key, count(*) as ticket_count, sum(row_digest) as ticket_digest
from release.ticket_row group by partition_key;
"""

# Typed from the payload alone: nothing that the judge has typed is believed. Instants are truncated to the microsecond;
# PostgreSQL would round.
_INSTANTS = ("sla_due_at", "created_at", "updated_at", "resolved_at")
_TRUNCATED = ", ".join(
    f"(case when octet_length(record.{name}) > 27 then regexp_replace(record.{name}, '(\\.\\d{{6}})\\d+', '\\1')"
    f" else record.{name} end)::timestamptz as {name}"
    for name in _INSTANTS
)
_CLAIMS = f"""
select
    record.ticket_id, record.source_id as record_source, record.schema_version, record.customer_id, record.org_id,
    record.status, record.priority, record.category, record.product_line, record.product_version, record.error_codes,
    record.asset_ids, record.assignee_id, record.sla_tier, record.pii_level, record.pii_redacted, record.quality_gate,
    record.owner, record.tags, {_TRUNCATED}, event.event_id, event.asset_id, event.line_number,
    event.record_fingerprint
from bronze.raw_ticket_event as event
cross join lateral json_to_record(event.raw_payload::json) as record (
    ticket_id text, source_id text, schema_version text, customer_id text, org_id text, status text, priority text,
    category text, product_line text, product_version text, error_codes jsonb, asset_ids jsonb, assignee_id text,
    sla_tier text, sla_due_at text, created_at text, updated_at text, resolved_at text, pii_level text,
    pii_redacted boolean, quality_gate text, owner text, tags jsonb
)
offset 0
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
    select
        ticket_id, partition_key, created_at, updated_at, asset_id, line_number, record_fingerprint,
        {_CONTENT.format(", ".join(FIELDS))} as content
    from (
        select *, (created_at at time zone 'UTC')::date as partition_key from ({_CLAIMS}) as typed offset 0
    ) as claim
),
winner as (
    select distinct on (ticket_id)
        partition_key, content, count(*) over (partition by ticket_id) as version_count
    from claim
    order by ticket_id, {_VERSION_ORDER}
),
expected as (
    select partition_key, count(*) as ticket_count, sum({_DIGEST.format("content", "version_count")}) as ticket_digest
    from winner group by partition_key
)
select count(*) from expected
full join release.partition_version as shown using (partition_key)
where (expected.ticket_count, expected.ticket_digest) is distinct from (shown.ticket_count, shown.ticket_digest)
""",
}


def prepare(warehouse: Warehouse) -> None:
    """Once per database, which holds nothing yet: Bronze's tables without what is made when they are full."""
    tables = (floor_a.HERE / "bronze.sql").read_text(encoding="utf-8")
    with closing(warehouse.connect(autocommit=True)) as connection:
        connection.cursor().execute(_KEY.sub("", _INDEX.sub("", tables)))


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
    keys = [f"alter table bronze.{table} add primary key ({columns})" for table, columns in _KEYS.items()]
    _run(warehouse, _FIRST_DELIVERIES, *keys, *indexes, "analyze")


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
