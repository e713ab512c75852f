-- Bronze's tables and indexes as they stood when the floor was frozen; no guards.
create schema if not exists bronze;

-- One row per event, that is per distinct record. Never rewritten.
create table if not exists bronze.raw_ticket_event (
    event_id uuid primary key,
    record_fingerprint bytea not null,
    source_id text not null,
    ticket_id text not null,
    customer_id text not null,
    -- Instants truncated to the microsecond by the loader, once; every later layer uses these.
    created_at timestamptz not null,
    updated_at timestamptz,
    resolved_at timestamptz,
    sla_due_at timestamptz,
    partition_key date not null,
    -- Canonical JSON without ingest_batch_id, so that sha256(raw_payload) = record_fingerprint is checked in SQL.
    raw_payload text not null,
    -- Of the first delivery, like asset_id and line_number.
    ingest_batch_id text not null,
    warning_codes text[] not null,
    asset_id integer not null,
    line_number integer not null,
    run_id uuid not null,
    _dlt_load_id text not null
);

-- What each physical line is, under a ruleset. Lines tile the asset's decompressed content.
create table if not exists bronze.asset_line (
    byte_offset bigint not null,
    byte_length bigint not null, -- with the line's terminator
    event_id uuid,
    asset_id integer not null,
    line_number integer not null, -- from 1
    ruleset_id integer not null,
    partition_key date,
    kind text not null check (kind in ('record', 'rejected', 'blank')),
    _dlt_load_id text not null,
    primary key (asset_id, line_number, ruleset_id),
    check ((kind = 'record') = (event_id is not null)),
    check (kind <> 'record' or partition_key is not null),
    check (kind <> 'blank' or partition_key is null)
);
create index if not exists asset_line_by_event on bronze.asset_line (event_id);
-- A load, or a ticket, is read without reading what others brought (docs/decisions/0006).
create index if not exists raw_ticket_event_by_load on bronze.raw_ticket_event (_dlt_load_id);
create index if not exists asset_line_by_load on bronze.asset_line (_dlt_load_id);
create index if not exists raw_ticket_event_by_ticket on bronze.raw_ticket_event (ticket_id);
create index if not exists raw_ticket_event_with_warning on bronze.raw_ticket_event (asset_id)
where warning_codes <> '{}';

-- Nobody searches by these: their statistics would be most of an ANALYZE.
alter table bronze.raw_ticket_event
    alter column raw_payload set statistics 0,
    alter column record_fingerprint set statistics 0;

create table if not exists bronze.rejected_record (
    asset_id integer not null,
    line_number integer not null,
    ruleset_id integer not null,
    partition_key date, -- null when the line has no readable day
    reason_codes text[] not null check (cardinality(reason_codes) >= 1),
    message text not null,
    json_path text not null,
    raw_line bytea not null, -- without terminator, first 65536 bytes; the rest by offset from the raw zone
    raw_line_sha256 bytea not null, -- of the whole line without terminator
    run_id uuid not null,
    _dlt_load_id text not null,
    primary key (asset_id, line_number, ruleset_id)
);

create index if not exists rejected_record_by_load on bronze.rejected_record (_dlt_load_id);

