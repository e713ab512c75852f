-- Owner: the loader. Rows come in by dlt only; the tables are ours (types, keys, guards).
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

-- dlt's own table, as dlt 1.31 makes it. Made here so that a warehouse without any load can be reconciled.
create table if not exists bronze._dlt_loads (
    load_id varchar(64) not null,
    schema_name varchar,
    status bigint not null,
    inserted_at timestamptz not null,
    schema_version_hash varchar
);

-- Bronze is append-only: only the named repair and erasure may remove rows.
create or replace function bronze.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(current_setting('omni.maintenance', true), '') in ('repair', 'erasure') then
        return null;
    end if;
    raise exception '% on %.% refused: Bronze is append-only', tg_op, tg_table_schema, tg_table_name
        using hint = 'Rows leave Bronze only through the loader''s repair and erasure.';
end $$;

-- Rows come from the attempt of the writer that holds the ingest lock now: a load that outlives its lock is fenced off.
create or replace function bronze.require_live_attempt() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform 1
    from ops.ingest_run as run
    where run.run_id::text = pg_catalog.current_setting('omni.run_id', true)
        and run.attempt::text = pg_catalog.current_setting('omni.attempt', true)
        and run.status = 'running'
        and ops.is_writer(run.writer_token);
    if not found then
        raise exception 'INSERT on %.% refused: attempt % of run % does not hold the ingest lock',
            tg_table_schema, tg_table_name,
            coalesce(current_setting('omni.attempt', true), '(none)'),
            coalesce(current_setting('omni.run_id', true), '(none)');
    end if;
    return null;
end $$;

do $$
declare
    bronze_table text;
begin
    foreach bronze_table in array array['raw_ticket_event', 'asset_line', 'rejected_record'] loop
        execute format(
            'create or replace trigger refuse_change before update or delete or truncate on bronze.%I
             for each statement execute function bronze.refuse_change()', bronze_table);
        execute format(
            'create or replace trigger require_live_attempt before insert on bronze.%I
             for each statement execute function bronze.require_live_attempt()', bronze_table);
    end loop;
end $$;

-- Rows and content per load, as they stand now. The loader copies it into ops.completed_load when a load is
-- complete; reconcile compares the two for ever after. raw_payload and raw_line are left out: SHA-256 covers them.
create or replace view ops.load_content as
select
    _dlt_load_id as load_id,
    'raw_ticket_event' as table_name,
    count(*) as row_count,
    sum(ops.digest64(concat_ws(
        '|', event_id, encode(record_fingerprint, 'hex'), source_id, ticket_id, customer_id,
        ops.instant_text(created_at), ops.instant_text(updated_at),
        ops.instant_text(resolved_at), ops.instant_text(sla_due_at),
        partition_key - date '2000-01-01', ingest_batch_id, warning_codes, asset_id, line_number, run_id
    ))) as row_digest
from bronze.raw_ticket_event
group by _dlt_load_id
union all
select
    _dlt_load_id,
    'asset_line',
    count(*),
    sum(ops.digest64(concat_ws(
        '|', asset_id, line_number, ruleset_id, byte_offset, byte_length, kind,
        coalesce(event_id::text, '~'), coalesce((partition_key - date '2000-01-01')::text, '~')
    )))
from bronze.asset_line
group by _dlt_load_id
union all
select
    _dlt_load_id,
    'rejected_record',
    count(*),
    sum(ops.digest64(concat_ws(
        '|', asset_id, line_number, ruleset_id, coalesce((partition_key - date '2000-01-01')::text, '~'),
        reason_codes, message, json_path, encode(raw_line_sha256, 'hex'), run_id
    )))
from bronze.rejected_record
group by _dlt_load_id;
