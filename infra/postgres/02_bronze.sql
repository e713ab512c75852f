-- Owner: the loader. Rows come in by dlt only; the tables are ours (types, keys, guards).
create schema if not exists bronze;

-- One row per event, that is per distinct record. Never rewritten. Each kind has a partition of its own, under the name
-- that people know (02_kinds.sql); the loader writes to partitions only.
create table if not exists bronze.record_event (
    record_kind text not null,
    event_id uuid not null,
    record_fingerprint bytea not null,
    -- Roles that the kind's declaration gives to fields of the record: the system that wrote it, what it is about, whom.
    record_source text not null,
    record_key text not null,
    person_id text,
    -- The instant whose UTC day is partition_key, and the one that orders versions before it. Truncated to the
    -- microsecond by the loader, once; every later layer uses these.
    created_at timestamptz not null,
    updated_at timestamptz,
    partition_key date not null,
    -- Canonical JSON without the envelope: record_fingerprint is the SHA-256 of it, after its kind's bronze.hash_domain.
    raw_payload text not null,
    -- What belongs to the first delivery, as JSON, like asset_id and line_number.
    envelope text not null,
    warning_codes text[] not null,
    asset_id integer not null,
    line_number integer not null,
    run_id uuid not null,
    _dlt_load_id text not null,
    primary key (event_id, record_kind)
) partition by list (record_kind);

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
-- A load, or a record's key, is read without reading what others brought (docs/decisions/0006).
create index if not exists record_event_by_load on bronze.record_event (_dlt_load_id);
create index if not exists asset_line_by_load on bronze.asset_line (_dlt_load_id);
create index if not exists record_event_by_key on bronze.record_event (record_key);
create index if not exists record_event_with_warning on bronze.record_event (asset_id)
where warning_codes <> '{}';

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

-- Events as a whole and each kind's, lines and rejects. A statement fires the triggers of the table that it names, and of
-- no other: each has all of them.
create or replace view bronze.guarded_table as
select relation.relname::text as table_name
from pg_class as relation
where
    relation.oid in ('bronze.record_event'::regclass, 'bronze.asset_line'::regclass, 'bronze.rejected_record'::regclass)
    or relation.oid in (select inhrelid from pg_inherits where inhparent = 'bronze.record_event'::regclass);

-- Rows that count: their load is completed. Others are of a writer at work, or were left by one that died.
create or replace view bronze.visible_event as
select event.*
from bronze.record_event as event
inner join ops.completed_load as load on load.load_id = event._dlt_load_id and load.table_name = 'record_event';

create or replace view bronze.visible_line as
select line.*
from bronze.asset_line as line
inner join ops.completed_load as load on load.load_id = line._dlt_load_id and load.table_name = 'asset_line';

create or replace view bronze.visible_reject as
select reject.*
from bronze.rejected_record as reject
inner join ops.completed_load as load on load.load_id = reject._dlt_load_id and load.table_name = 'rejected_record';

-- Rows and content per load, as they stand now. The loader copies it into ops.completed_load when a load is
-- complete; reconcile compares the two for ever after. raw_payload and raw_line are left out: SHA-256 covers them.
create or replace view ops.load_content as
select
    _dlt_load_id as load_id,
    'record_event' as table_name,
    count(*) as row_count,
    sum(ops.digest64(concat_ws(
        '|', record_kind, event_id, encode(record_fingerprint, 'hex'), record_source, record_key,
        coalesce(person_id, '~'), ops.instant_text(created_at), ops.instant_text(updated_at),
        partition_key - date '2000-01-01', envelope, warning_codes, asset_id, line_number, run_id
    ))) as row_digest
from bronze.record_event
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
