-- definition da25d1c6fec33f990c6bca66b1be7f6158fd6e8e05ec4221853dc0a33406f68a
-- Events of every kind are one table with a partition for each: tickets move into theirs, under the name they had.
-- Columns are roles now, and what no role needs is read from the payload.
create table bronze.record_event (
    record_kind text not null,
    event_id uuid not null,
    record_fingerprint bytea not null,
    record_source text not null,
    record_key text not null,
    person_id text,
    created_at timestamptz not null,
    updated_at timestamptz,
    partition_key date not null,
    raw_payload text not null,
    envelope text not null,
    warning_codes text[] not null,
    asset_id integer not null,
    line_number integer not null,
    run_id uuid not null,
    _dlt_load_id text not null,
    primary key (event_id, record_kind)
) partition by list (record_kind);

-- Loads whose rows are still what they were completed with, before anything moves.
create temporary table moved_load on commit drop as
select load.load_id, load.row_count, load.row_digest as old_digest,
    (load.row_count, load.row_digest) = (coalesce(held.row_count, 0), coalesce(held.row_digest, 0)) as is_proved
from ops.completed_load as load
left join ops.load_content as held using (load_id, table_name)
where load.table_name = 'raw_ticket_event';

alter table bronze.raw_ticket_event rename to old_ticket_event;
alter index bronze.raw_ticket_event_pkey rename to old_ticket_event_pkey;
create table bronze.raw_ticket_event partition of bronze.record_event for values in ('ticket_v1');
insert into bronze.raw_ticket_event
select
    'ticket_v1', event_id, record_fingerprint, source_id, ticket_id, customer_id, created_at, updated_at, partition_key,
    raw_payload, '{"ingest_batch_id":' || to_json(ingest_batch_id) || '}', warning_codes, asset_id, line_number, run_id,
    _dlt_load_id
from bronze.old_ticket_event;
-- With what reads it: the definition files and the next build make that anew.
drop table bronze.old_ticket_event cascade;

alter table ops.completed_load
    add column digest_version smallint not null default 2,
    drop constraint completed_load_table_name_check;
update ops.completed_load set table_name = 'record_event' where table_name = 'raw_ticket_event';
do $erased$
begin
    if to_regclass('ops.erased_load') is not null then
        update ops.erased_load set table_name = 'record_event' where table_name = 'raw_ticket_event';
    end if;
end $erased$;
alter table ops.completed_load
    add constraint completed_load_table_name_check check (table_name in ('record_event', 'asset_line', 'rejected_record'));

-- An asset is a content under a kind; everything that was landed is tickets.
alter table ops.source_asset add column record_kind text not null default 'ticket_v1';
alter table ops.source_asset
    alter column record_kind drop default,
    drop constraint source_asset_source_fingerprint_key,
    add unique (source_fingerprint, record_kind);

-- The new digest, of rows that were proved by the old one. Others keep it, and are named by every proof.
update ops.completed_load as load
set
    row_digest = case when moved.is_proved then coalesce(held.row_digest, 0) else load.row_digest end,
    digest_version = case when moved.is_proved then 2 else 1 end
from moved_load as moved
left join (
    select
        _dlt_load_id as load_id,
        sum(('x' || substr(md5(concat_ws(
            '|', record_kind, event_id, encode(record_fingerprint, 'hex'), record_source, record_key,
            coalesce(person_id, '~'), encode(timestamptz_send(created_at), 'hex'),
            coalesce(encode(timestamptz_send(updated_at), 'hex'), '~'),
            partition_key - date '2000-01-01', envelope, warning_codes, asset_id, line_number, run_id
        )), 1, 16))::bit(64)::bigint::numeric) as row_digest
    from bronze.raw_ticket_event
    group by _dlt_load_id
) as held on moved.load_id = held.load_id
where load.load_id = moved.load_id and load.table_name = 'record_event';

-- The chain says so. Its file is written by the next command that writes.
create table if not exists ops.unwritten_evidence (
    evidence_id bigint primary key
);
with told as (
    select 'reports/migration/0004_' || gen_random_uuid() || '.json' as report_path
    where exists (select from moved_load)
),
record as (
    select
        told.report_path,
        convert_to(jsonb_pretty(jsonb_build_object(
            'evidence_schema_version', 'migration_evidence_v1',
            'asset_key', 'ops/schema_version',
            'migration', 4,
            'report_path', told.report_path,
            'predecessor_sha256', null,
            'migrated_at', to_char(now() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'loads', (
                select jsonb_agg(jsonb_build_object(
                    'load_id', moved.load_id,
                    'table_name', load.table_name,
                    'row_count', load.row_count,
                    'old_digest', moved.old_digest::text,
                    'new_digest', case when moved.is_proved then load.row_digest::text end
                ) order by moved.load_id)
                from moved_load as moved
                inner join ops.completed_load as load
                    on moved.load_id = load.load_id and load.table_name = 'record_event'
            )
        )) || chr(10), 'UTF8') as content
    from told
),
added as (
    insert into ops.run_evidence (dataset, report_path, content, content_sha256)
    select 'ops/schema_version', report_path, content, encode(sha256(content), 'hex') from record
    returning evidence_id
)
insert into ops.unwritten_evidence (evidence_id) select evidence_id from added;
