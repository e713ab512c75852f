-- The definition files as commit 5c1e743 had them, in their order, and a few rows as its loader wrote them.

-- Owner: the loader. What a writer holds, and what fences off one that lost it (docs/decisions/0014).
create schema if not exists ops;

-- Locks are relations, since only who may write to a relation may lock it against others; advisory locks are anybody's.
-- They are taken in mode EXCLUSIVE, which no right to read conflicts with, and are views, which a VACUUM or ANALYZE of
-- the whole database passes by. ingest_lock: one writer a warehouse. build_lock: one build of Silver at a time.
-- catalog_lock: who creates schemas and views, or these files' tables; function_lock: who creates reconcile's functions.
-- (Of two that create the same at once, PostgreSQL fails one.)
do $locks$
declare
    lock_name text;
begin
    foreach lock_name in array array['ingest_lock', 'build_lock', 'catalog_lock', 'function_lock'] loop
        if to_regclass('ops.' || lock_name) is null then
            execute format('create view ops.%I as select true as is_lockable', lock_name);
        end if;
    end loop;
end $locks$;

-- Who took the ingest lock last. A new token fences off whoever had the one before, whatever its sessions still do.
create table if not exists ops.writer (
    is_only boolean primary key default true check (is_only),
    token uuid not null,
    lock_pid integer not null, -- of the session that holds ops.ingest_lock
    work_pid integer not null, -- of the session that records
    process_id integer not null,
    host text not null,
    taken_at timestamptz not null default now()
);

-- The session that holds ops.ingest_lock now, and the writer that it belongs to; null: one that has just taken it.
create or replace view ops.lock_holder as
select held.pid, writer.token, writer.work_pid, writer.process_id, writer.host, writer.taken_at
from pg_catalog.pg_locks as held
left join ops.writer on writer.lock_pid = held.pid
where
    held.locktype = 'relation'
    and held.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
    and held.relation = 'ops.ingest_lock'::pg_catalog.regclass
    and held.mode = 'ExclusiveLock'
    and held.granted;

-- Whether the token is that of the writer now, and its lock is held. The token stays the last one until the transaction
-- ends: who would take over waits for it.
create or replace function ops.is_writer(expected uuid) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    -- Not its row: that would give each transaction an id, and its commit a wait for the disk.
    lock table ops.writer in row share mode;
    return exists (select from ops.lock_holder as holder where holder.token = expected);
end $$;

-- Which version of these files the database holds: one row, written by the loader in the transaction that applied them.
create schema if not exists ops;

create table if not exists ops.schema_version (
    is_current boolean primary key default true check (is_current),
    -- The number of the last file of migrations/ that counts as applied: a new database begins with it.
    version integer not null check (version >= 1),
    -- Of the files beside this one, so that an edited function, view or grant is applied within a version.
    definition_sha256 text not null check (definition_sha256 ~ '^[0-9a-f]{64}$'),
    loader_version text not null,
    applied_at timestamptz not null default now()
);

-- Owner: the loader. Everything that a run decides, promises or completes is a row here.
-- Every statement may be run again; what a table of an earlier version lacks is brought by migrations/.
create schema if not exists ops;

-- A clock may go back; a sequence does not. Everything that is told apart by "before" and "after" takes its number from
-- one sequence when its row is made, so that a run, a load, a release and an erasure compare with each other.
-- (docs/decisions/0012)
create sequence if not exists ops.event_number as bigint;

-- First 64 bits of md5 as a number. Summed over rows it is a content digest that does not depend
-- on their order but does on how often each occurs (a multiset digest). Not a defence against forgery:
-- record_fingerprint (SHA-256) is.
create or replace function ops.digest64(content text) returns numeric
language sql immutable parallel safe strict
return ('x' || substr(md5(content), 1, 16))::bit(64)::bigint::numeric;

-- Text of an instant that depends on no session setting: its microseconds as PostgreSQL stores them, in hex. Four
-- times as fast as extract(epoch from …), which makes a numeric first.
create or replace function ops.instant_text(instant timestamptz) returns text
language sql immutable parallel safe
return coalesce(encode(timestamptz_send(instant), 'hex'), '~');

-- Where a declared sequence stands among all: the only place that knows the scales of loader/manifest/sequence.py
-- (docs/decisions/0011). Days (YYYYMMDD * 1000 + n) and stamps of 12 or 14 digits become moments
-- (YYYYMMDD * 10^8 + 10^7 + milliseconds of the day; a whole day's n before them, as n * 10^4). Other numbers mean what
-- they did: small ones come before all dates, those between the scales after them. Total: no number is an error.
create or replace function ops.sequence_place(sequence bigint) returns bigint
language sql immutable parallel safe strict
return case
    when sequence < 10000000000 or sequence >= 1000000000000000 then sequence
    when sequence < 100000000000 then sequence / 1000 * 100000000 + sequence % 1000 * 10000
    when
        sequence / 100000000 between 1970 and 2199
        and sequence / 1000000 % 100 between 1 and 12 and sequence / 10000 % 100 between 1 and 31
        and sequence / 100 % 100 < 24 and sequence % 100 < 60
        then sequence / 10000 * 100000000 + 10000000
            + (sequence / 100 % 100 * 60 + sequence % 100) * 60000
    when
        sequence / 10000000000 between 1970 and 2199
        and sequence / 100000000 % 100 between 1 and 12 and sequence / 1000000 % 100 between 1 and 31
        and sequence / 10000 % 100 < 24 and sequence / 100 % 100 < 60 and sequence % 100 < 60
        then sequence / 1000000 * 100000000 + 10000000
            + (sequence / 10000 % 100 * 3600 + sequence / 100 % 100 * 60 + sequence % 100) * 1000
    else sequence + 1000000000000000000
end;

create table if not exists ops.manifest (
    manifest_id text primary key,
    manifest_sha256 text not null check (manifest_sha256 ~ '^[0-9a-f]{64}$'),
    manifest_bytes bytea not null,
    manifest_path text not null,
    batch_id text not null,
    contract_ref text not null,
    modality text not null,
    load_mode text not null,
    window_field text,
    window_start timestamptz,
    window_end timestamptz,
    declared_asset_count integer not null,
    is_implicit boolean not null,
    registered_by_run_id uuid not null,
    registered_at timestamptz not null default now(),
    event_number bigint not null default nextval('ops.event_number'),
    check ((window_start is null) = (window_end is null)),
    check (window_start < window_end)
);

create table if not exists ops.source_asset (
    asset_id integer generated always as identity primary key,
    source_fingerprint text not null unique check (source_fingerprint ~ '^[0-9a-f]{64}$'),
    size_bytes bigint not null,
    content_encoding text not null check (content_encoding in ('identity', 'gzip')),
    -- Decompressed size, counted by the gate: the reader's lines must tile exactly this.
    content_bytes bigint not null,
    raw_zone_key text not null,
    registered_by_run_id uuid not null,
    registered_at timestamptz not null default now()
);

create table if not exists ops.manifest_asset (
    manifest_id text not null references ops.manifest,
    source_id text not null,
    ordinal integer not null,
    asset_id integer references ops.source_asset,
    source_url_or_path text not null,
    asset_type text not null,
    declared_checksum_sha256 text,
    declared_size_bytes bigint,
    declared_record_count bigint,
    sequence bigint not null,
    judgement text not null check (judgement in ('accept', 'warn', 'quarantine', 'reject')),
    -- admitted: goes on; withheld: judged quarantine or reject; missing: no bytes found;
    -- not_available: accepted, but of a kind that is not landed yet.
    disposition text not null check (disposition in ('admitted', 'withheld', 'missing', 'not_available')),
    reason_codes text[] not null,
    judged_by_run_id uuid not null,
    judged_at timestamptz not null default now(),
    primary key (manifest_id, source_id),
    check ((disposition = 'admitted') = (asset_id is not null))
);
create index if not exists manifest_asset_by_asset on ops.manifest_asset (asset_id);

-- One row per declared asset: its place in upstream's order, the smallest that a manifest gives it. One that gives a
-- moment says more than one that gives a bare number, so a manifest that is made anew can mend an older one.
create or replace view ops.asset_place as
select
    asset_id,
    coalesce(min(place) filter (where place >= 1000000000000000), min(place)) as sequence
from (
    select asset_id, ops.sequence_place(sequence) as place from ops.manifest_asset where asset_id is not null
) as entry
group by asset_id;

create table if not exists ops.ruleset (
    ruleset_id integer generated always as identity primary key,
    -- Not unique: a ruleset that is reverted to takes effect anew, under a new number.
    ruleset_sha256 text not null check (ruleset_sha256 ~ '^[0-9a-f]{64}$'),
    contract_ref text not null,
    components jsonb not null,
    registered_at timestamptz not null default now()
);

-- One row per run and attempt, written before work starts and at each stage boundary.
create table if not exists ops.ingest_run (
    run_id uuid not null,
    attempt integer not null check (attempt >= 1),
    trace_id text not null check (trace_id ~ '^[0-9a-f]{32}$'),
    mode text not null check (mode in ('ingest', 'retry', 'rerun', 'replay', 'backfill')),
    status text not null check (status in ('running', 'success', 'warning', 'failed', 'interrupted', 'crashed')),
    stage text not null check (
        stage in ('started', 'gated', 'archived', 'landed', 'built', 'reconciled', 'finished')
    ),
    batch_id text not null,
    manifest_ids text[] not null,
    ruleset_id integer not null references ops.ruleset,
    -- Half-open window of partitions; both null: every partition.
    window_start date,
    window_end date,
    line_limit bigint,
    -- Manifests that could not be accepted at all: [{"path", "violations"}].
    refused_manifests jsonb not null default '[]',
    -- The watermark of each record source when the run started: {"<source>": "<instant>"}; decides late.
    watermarks jsonb not null default '{}',
    -- Of the writer that it belongs to (ops.writer): the attempt is alive as long as that one is.
    writer_token uuid,
    lock_pid integer not null,
    process_id integer not null,
    host text not null,
    repaired_row_count bigint not null default 0,
    dlt_load_ids text[] not null default '{}',
    dbt_invocation_ids text[] not null default '{}',
    loader_version text not null,
    git_sha text,
    failure text,
    exit_code integer,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    -- When each stage ended: {"gated": "<instant>", …}.
    stage_ended_at jsonb not null default '{}',
    -- Rows of its loads, if it died before they were completed, are gone.
    is_repaired boolean not null default false,
    -- What it was asked to read, before anything is read: [{"manifest_id", "manifest_sha256", "manifest_path",
    -- "is_implicit"}]; and the recovery plan that it applies.
    declared_manifests jsonb not null default '[]',
    plan jsonb,
    -- The last stage that was done before its end: of one that failed, `stage` says finished.
    last_stage text not null default 'started',
    event_number bigint not null default nextval('ops.event_number'),
    primary key (run_id, attempt),
    check ((window_start is null) = (window_end is null)),
    check (window_start < window_end)
);
create unique index if not exists ingest_run_by_event on ops.ingest_run (event_number);

-- What an attempt did with each declared asset.
create table if not exists ops.run_asset (
    run_id uuid not null,
    attempt integer not null,
    manifest_id text not null,
    source_id text not null,
    asset_id integer,
    -- parsed: read line by line; unchanged: hashed and already taken; else as the disposition.
    action text not null check (action in ('parsed', 'unchanged', 'withheld', 'missing', 'not_available')),
    judgement text not null,
    reason_codes text[] not null,
    primary key (run_id, attempt, manifest_id, source_id),
    foreign key (run_id, attempt) references ops.ingest_run
);

-- What the reader found in an asset under a ruleset, whole or up to a limit.
create table if not exists ops.asset_index (
    asset_id integer not null references ops.source_asset,
    ruleset_id integer not null references ops.ruleset,
    -- Lines in the asset, and how many of them have been indexed (fewer only after a limited run).
    line_count bigint not null,
    indexed_line_count bigint not null,
    is_complete boolean not null,
    run_id uuid not null,
    attempt integer not null,
    indexed_at timestamptz not null default now(),
    primary key (asset_id, ruleset_id),
    check (is_complete = (line_count = indexed_line_count))
);

-- Lines of an asset that belong to a partition. Taken: every event of theirs is visible.
create table if not exists ops.asset_partition (
    asset_id integer not null references ops.source_asset,
    ruleset_id integer not null references ops.ruleset,
    partition_key date not null,
    record_line_count bigint not null,
    rejected_line_count bigint not null,
    taken_by_run_id uuid,
    taken_at timestamptz,
    primary key (asset_id, ruleset_id, partition_key),
    check ((taken_by_run_id is null) = (taken_at is null))
);

-- A dlt load counts only once it stands here; row_count and row_digest are read from the tables, never from dlt.
create table if not exists ops.completed_load (
    load_id text not null,
    table_name text not null check (table_name in ('raw_ticket_event', 'asset_line', 'rejected_record')),
    run_id uuid not null,
    attempt integer not null,
    row_count bigint not null,
    row_digest numeric not null,
    completed_at timestamptz not null default now(),
    -- Greatest updated_at, or created_at without one, of the load's events by record source: {"<source>": "<instant>"}.
    newest_at jsonb not null default '{}',
    event_number bigint not null default nextval('ops.event_number'),
    primary key (load_id, table_name),
    foreign key (run_id, attempt) references ops.ingest_run
);

-- Checkpoint, cursor and watermark: three objects that never share a row.
create table if not exists ops.ingest_state (
    dataset text not null,
    record_source text not null,
    state_kind text not null check (state_kind in ('checkpoint', 'cursor', 'watermark')),
    -- cursor, watermark: the instant. checkpoint: the instant at which the run below was durable.
    value_at timestamptz not null,
    run_id uuid not null,
    updated_at timestamptz not null default now(),
    primary key (dataset, record_source, state_kind)
);

-- Every change of the state above, by a run or, with a reason, by an operator.
create table if not exists ops.ingest_state_change (
    change_id bigint generated always as identity primary key,
    dataset text not null,
    record_source text not null,
    state_kind text not null,
    old_value_at timestamptz,
    new_value_at timestamptz,
    run_id uuid,
    operator text,
    reason text,
    changed_at timestamptz not null default now(),
    event_number bigint not null default nextval('ops.event_number'),
    check ((operator is null) = (reason is null))
);

-- The state goes forward, or an operator says why it does not (settings omni.operator and omni.reason).
create or replace function ops.note_state_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    reason text := nullif(current_setting('omni.reason', true), '');
begin
    if reason is null and (tg_op = 'DELETE' or tg_op = 'UPDATE' and new.value_at < old.value_at) then
        raise exception '% on ops.ingest_state refused: the % of % would go back without a reason',
            tg_op, old.state_kind, old.record_source
            using hint = 'loader state reset says what is reset, and why.';
    end if;
    insert into ops.ingest_state_change (
        dataset, record_source, state_kind, old_value_at, new_value_at, run_id, operator, reason)
    select
        coalesce(new.dataset, old.dataset), coalesce(new.record_source, old.record_source),
        coalesce(new.state_kind, old.state_kind), old.value_at, new.value_at,
        case when reason is null then new.run_id end,
        case when reason is not null then coalesce(nullif(current_setting('omni.operator', true), ''), current_user) end,
        reason;
    return null;
end $$;

create or replace trigger note_state_change after insert or update or delete on ops.ingest_state
for each row execute function ops.note_state_change();

-- Every evidence record as it was written, each with the SHA-256 of the one before it in its dataset. Append-only.
create table if not exists ops.run_evidence (
    evidence_id bigint generated always as identity primary key,
    dataset text not null,
    -- Null: of an act that belongs to no run.
    run_id uuid,
    attempt integer,
    report_path text not null,
    content bytea not null,
    content_sha256 text not null check (content_sha256 ~ '^[0-9a-f]{64}$'),
    predecessor_sha256 text check (predecessor_sha256 ~ '^[0-9a-f]{64}$'),
    written_at timestamptz not null default now(),
    event_number bigint not null default nextval('ops.event_number')
);
create index if not exists run_evidence_by_path on ops.run_evidence (report_path, evidence_id);
create index if not exists run_evidence_by_dataset on ops.run_evidence (dataset, evidence_id);

-- Records that stand and whose file may not: their transaction has committed, the file is written after it. Emptied by
-- whoever writes the files, at the latest by the next command that writes.
create table if not exists ops.unwritten_evidence (
    evidence_id bigint primary key
);

create or replace function ops.refuse_change_of_evidence() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception '% on ops.run_evidence refused: evidence is added, never changed', tg_op
        using hint = 'loader verify --evidence tells what was changed all the same.';
end $$;

create or replace trigger refuse_change before update or delete on ops.run_evidence
for each row execute function ops.refuse_change_of_evidence();
create or replace trigger refuse_truncate before truncate on ops.run_evidence
for each statement execute function ops.refuse_change_of_evidence();

-- The reconcile row of each partition as the last run that proved it recorded it. For who must not evaluate what dbt
-- built: whoever reads a view runs its functions (docs/decisions/0013).
create or replace view ops.recorded_partition as
select distinct on (told.partition_key)
    told.partition_key,
    told.run_id,
    told.attempt,
    told.written_at,
    told.record ->> 'status' as status,
    told.record ->> 'downstream_decision' as downstream_decision,
    (told.record -> 'reconcile' ->> 'is_complete')::boolean as is_complete,
    (told.record -> 'reconcile' ->> 'line_count')::bigint as line_count,
    (told.record -> 'reconcile' ->> 'rejected_count')::bigint as rejected_count,
    (told.record -> 'reconcile' ->> 'silver_row_count')::bigint as silver_row_count,
    (told.record -> 'reconcile' ->> 'unexplained_count')::bigint as unexplained_count,
    (told.record -> 'reconcile' ->> 'bronze_digest')::numeric as bronze_digest,
    (told.record -> 'reconcile' ->> 'silver_digest')::numeric as silver_digest,
    told.record -> 'reconcile' as reconcile,
    told.record -> 'checks' as checks
from (
    select evidence_id, run_id, attempt, written_at, record, (record ->> 'partition_key')::date as partition_key
    from ops.run_evidence
    cross join lateral (select convert_from(content, 'UTF8')::jsonb as record) as decoded
    where run_id is not null and record -> 'reconcile' ->> 'is_complete' is not null
) as told
order by told.partition_key, told.evidence_id desc;

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

-- Owner: the loader. What has been proved, and what has changed since: an ingest proves the difference.
-- (docs/decisions/0007)

-- One row per proof that closed, over everything or over what had changed: for every day but those that it left open.
create table if not exists ops.proof (
    proof_id bigint generated always as identity primary key,
    scope text not null check (scope in ('all', 'changes')),
    -- Null: by `loader build`, which belongs to no run.
    run_id uuid,
    attempt integer,
    dbt_invocation_id text not null,
    -- Of dbt_project and infra/postgres: what other SQL has proved is proved again.
    project_sha256 text not null,
    load_count bigint not null,
    proved_at timestamptz not null default now(),
    event_number bigint not null default nextval('ops.event_number'),
    -- Days of which reconcile had findings: they stay as readers see them (docs/decisions/0017).
    open_partitions date [] not null default '{}',
    check ((run_id is null) = (attempt is null))
);

-- Loads, and readings of assets, that the last proof covers.
create table if not exists ops.proved_load (
    load_id text primary key
);
create table if not exists ops.proved_asset (
    asset_id integer primary key,
    ruleset_id integer not null,
    sequence bigint not null,
    taken_partition_count bigint not null
);

-- Rows that were changed after they were landed or proved, by whom and why does not matter: tickets and customers by
-- their key, rows of Bronze by their load, '*' for all rows of a table.
create table if not exists ops.unproved_change (
    table_name text not null,
    row_key text not null,
    -- The day that the row was of, or is of. Null: of any.
    partition_key date,
    -- A proof covers the transactions that had committed when it began (reconcile.proof_scope.seen), and no other.
    changed_in xid8 not null default pg_current_xact_id()
);

-- Trigger arguments: the table's name as reconcile knows it, and the column that is the key.
create or replace function ops.note_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    day text := case
        when exists (select from pg_attribute where attrelid = tg_relid and attname = 'partition_key')
            then 'partition_key'
        else 'null::date'
    end;
    changed text := case tg_op
        when 'INSERT' then 'select * from new_rows'
        when 'DELETE' then 'select * from old_rows'
        else 'select * from new_rows union all select * from old_rows'
    end;
begin
    if tg_op = 'TRUNCATE' then
        insert into ops.unproved_change (table_name, row_key) values (tg_argv[0], '*');
    else
        execute format(
            'insert into ops.unproved_change (table_name, row_key, partition_key)
             select distinct %L, %I, %s from (%s) as changed', tg_argv[0], tg_argv[1], day, changed);
    end if;
    return null;
end $$;

-- Rows of a load that counts can leave Bronze, or change, by a named maintenance only; repair removes others.
create or replace function bronze.note_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'TRUNCATE' then
        insert into ops.unproved_change (table_name, row_key) values (tg_argv[0], '*');
    else
        insert into ops.unproved_change (table_name, row_key, partition_key)
        select distinct tg_argv[0], old_rows._dlt_load_id, old_rows.partition_key
        from old_rows
        inner join ops.completed_load on old_rows._dlt_load_id = completed_load.load_id;
    end if;
    if tg_op = 'UPDATE' then
        insert into ops.unproved_change (table_name, row_key, partition_key)
        select distinct tg_argv[0], new_rows._dlt_load_id, new_rows.partition_key
        from new_rows
        inner join ops.completed_load on new_rows._dlt_load_id = completed_load.load_id;
    end if;
    return null;
end $$;

do $$
declare
    bronze_table text;
begin
    foreach bronze_table in array array['raw_ticket_event', 'asset_line', 'rejected_record'] loop
        execute format(
            'create or replace trigger note_update after update on bronze.%I
             referencing old table as old_rows new table as new_rows
             for each statement execute function bronze.note_change(%L)', bronze_table, 'bronze.' || bronze_table);
        execute format(
            'create or replace trigger note_delete after delete on bronze.%I
             referencing old table as old_rows
             for each statement execute function bronze.note_change(%L)', bronze_table, 'bronze.' || bronze_table);
        execute format(
            'create or replace trigger note_truncate after truncate on bronze.%I
             for each statement execute function bronze.note_change(%L)', bronze_table, 'bronze.' || bronze_table);
    end loop;
end $$;

-- How each asset counts: the latest ruleset under which it was read whole, or else at all, its smallest place in upstream's order, how much of it has been taken.
create or replace view ops.asset_reading as
select
    latest.asset_id,
    latest.ruleset_id,
    coalesce(place.sequence, 0) as sequence,
    coalesce(taken.partition_count, 0) as taken_partition_count
from (
    select distinct on (asset_id) asset_id, ruleset_id from ops.asset_index
    order by asset_id, is_complete desc, ruleset_id desc
) as latest
left join ops.asset_place as place using (asset_id)
left join (
    select asset_id, ruleset_id, count(taken_by_run_id) as partition_count
    from ops.asset_partition group by asset_id, ruleset_id
) as taken using (asset_id, ruleset_id);

-- Owner: the loader. What readers may see: every released version of a ticket's row, and for each partition which
-- release it shows. (docs/decisions/0008)
create schema if not exists release;

-- One row per act that moved pointers, in one transaction. Numbers grow with time.
create table if not exists release.data_release (
    data_release_id bigint generated always as identity primary key,
    -- publish: by the gate; override: against it; restore: back to what was released before.
    kind text not null check (kind in ('publish', 'override', 'restore')),
    -- The run whose checks opened the gate; null: a command without a run.
    run_id uuid,
    attempt integer,
    trace_id text not null check (trace_id ~ '^[0-9a-f]{32}$'),
    dbt_invocation_id text,
    operator text not null,
    reason text,
    -- The recovery plan that it applied.
    plan_id uuid unique,
    released_at timestamptz not null default clock_timestamp(),
    event_number bigint not null default nextval('ops.event_number'),
    check ((run_id is null) = (attempt is null)),
    check (kind = 'publish' or reason is not null)
);

-- One row per act that removed versions of partitions that readers have not seen for long.
create table if not exists release.expiry (
    expiry_id bigint generated always as identity primary key,
    -- Versions that were last shown before this instant, and are not among the newest of their partition, so many of
    -- which were kept.
    older_than timestamptz not null,
    kept_count integer not null check (kept_count >= 1),
    removed_row_count bigint not null,
    trace_id text not null check (trace_id ~ '^[0-9a-f]{32}$'),
    operator text not null,
    reason text not null,
    -- The plan that it applied.
    plan_id uuid not null unique,
    expired_at timestamptz not null default clock_timestamp(),
    event_number bigint not null default nextval('ops.event_number')
);

-- What a release made of a partition: a state that pointers can show. Digest: sum of ops.digest64 over its rows.
create table if not exists release.partition_version (
    partition_key date not null,
    data_release_id bigint not null references release.data_release,
    ticket_count bigint not null,
    ticket_digest numeric not null,
    -- Its rows are gone, as far as no other version shows them: no pointer goes there again. What it was stays.
    expired_by bigint references release.expiry,
    primary key (partition_key, data_release_id)
);

-- The version that readers see; 0: none. Moved, never deleted.
create table if not exists release.partition_pointer (
    partition_key date primary key,
    data_release_id bigint not null,
    -- The release that set it here.
    moved_by bigint not null references release.data_release
);

-- Every place where a pointer has been.
create table if not exists release.pointer_move (
    moved_by bigint not null references release.data_release,
    partition_key date not null,
    old_data_release_id bigint not null,
    new_data_release_id bigint not null,
    primary key (partition_key, moved_by)
);
create index if not exists pointer_move_by_release on release.pointer_move (moved_by);

-- Partitions between which a release moved tickets. Both show that release or a later one, or both an earlier one:
-- otherwise readers would see a ticket twice, or not at all.
create table if not exists release.partition_link (
    data_release_id bigint not null references release.data_release,
    old_partition_key date not null,
    new_partition_key date not null,
    ticket_count bigint not null,
    primary key (data_release_id, old_partition_key, new_partition_key)
);

-- A held partition stays as it is, whatever runs.
create table if not exists release.partition_hold (
    partition_key date primary key,
    operator text not null,
    reason text not null,
    held_at timestamptz not null default clock_timestamp()
);

-- Acts of people that move no pointer: hold and its end.
create table if not exists release.hold_change (
    change_id bigint generated always as identity primary key,
    partition_key date not null,
    is_held boolean not null,
    operator text not null,
    reason text not null,
    changed_at timestamptz not null default clock_timestamp(),
    trace_id text check (trace_id ~ '^[0-9a-f]{32}$')
);

-- What the gate last said of each partition: obstacles, none where it was open; pending: proved rows of it are other
-- than those that were released last, or may be since a proof that the gate has not followed yet.
create table if not exists release.partition_gate (
    partition_key date primary key,
    is_pending boolean not null,
    obstacles text [] not null,
    judged_at timestamptz not null default clock_timestamp()
);

-- Tickets that were proved to be other than released, or new; '*': any may be.
create table if not exists release.pending_ticket (
    ticket_id text primary key
);

-- Rows of silver.ticket_fact as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.ticket_row (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- ops.digest64 of what follows (release.ticket_digest).
    row_digest numeric not null,
    ticket_id text not null,
    record_source text not null,
    schema_version text not null,
    customer_id text not null,
    org_id text,
    status text not null,
    priority text not null,
    category text,
    product_line text not null,
    product_version text,
    error_codes jsonb,
    asset_ids jsonb,
    assignee_id text,
    sla_tier text,
    sla_due_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz,
    resolved_at timestamptz,
    pii_level text not null,
    pii_redacted boolean,
    quality_gate text not null,
    owner text not null,
    tags jsonb,
    partition_key date not null,
    is_open boolean not null,
    version_count bigint not null,
    warning_codes text [] not null,
    record_fingerprint text not null,
    event_id uuid not null,
    asset_id integer not null,
    source_fingerprint text,
    line_number integer not null,
    manifest_id text,
    batch_id text,
    ingest_batch_id text not null,
    run_id uuid not null,
    dlt_load_id text not null,
    primary key (partition_key, ticket_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A ticket has one newest row.
create unique index if not exists ticket_row_newest on release.ticket_row (ticket_id) where end_release_id is null;
create index if not exists ticket_row_by_ticket on release.ticket_row (ticket_id);
create index if not exists ticket_row_by_customer on release.ticket_row (customer_id);

-- Cutting off empty pages at a table's end would lock readers out.
alter table release.ticket_row set (vacuum_truncate = false);
alter table release.partition_pointer set (vacuum_truncate = false);
alter table release.partition_hold set (vacuum_truncate = false);
alter table release.partition_version set (vacuum_truncate = false);
alter table release.partition_gate set (vacuum_truncate = false);
alter table release.pending_ticket set (vacuum_truncate = false);
alter table ops.unproved_change set (vacuum_truncate = false);
alter table ops.proved_load set (vacuum_truncate = false);

-- What a person has looked at and let pass: it keeps the partition back no more.
create table if not exists release.acceptance (
    partition_key date not null,
    -- As in reconcile.drift_finding; or too_many_rejects, and as measure the asset that the rejects are of.
    check_name text not null,
    measure text not null,
    operator text not null,
    reason text not null,
    accepted_at timestamptz not null default clock_timestamp(),
    trace_id text,
    acceptance_id bigint generated always as identity,
    primary key (partition_key, check_name, measure)
);

-- Owner: the loader. Who was erased, without saying who: what keeps a person out, and what counts were before.
-- (docs/decisions/0009)

-- Keyed hashes (HMAC-SHA256) stand for customer ids in tombstones, plans and evidence. The key stays in the database.
create table if not exists ops.erasure_key (
    is_current boolean primary key default true check (is_current),
    hash_key bytea not null check (octet_length(hash_key) = 32)
);
insert into ops.erasure_key (hash_key)
values (uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
on conflict do nothing;

-- One row per erasure, written in the transaction that removes the rows. Not finished: objects, Silver, or the search
-- for what is left are still to do; the same command again does them.
create table if not exists ops.erasure (
    erasure_id uuid primary key,
    -- Keyed hash of the customer id. A record of this customer that arrives later is erased on its way in.
    customer_hash bytea not null check (octet_length(customer_hash) = 32),
    operator text not null,
    reason text not null,
    trace_id text not null check (trace_id ~ '^[0-9a-f]{32}$'),
    -- Rows and lines by place: {"raw_ticket_event": 3, …}.
    removed jsonb not null,
    removed_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    event_number bigint not null default nextval('ops.event_number')
);
create index if not exists erasure_by_customer on ops.erasure (customer_hash);

-- Tombstones: the lines that were the person's. Their number stays, their bytes are blanks, their fate is `erased`.
create table if not exists ops.erased_line (
    asset_id integer not null references ops.source_asset,
    line_number integer not null,
    erasure_id uuid not null references ops.erasure,
    primary key (asset_id, line_number)
);

-- What an archived object was redacted from: the object that the fingerprint names no longer exists.
create table if not exists ops.raw_zone_redaction (
    redaction_id bigint generated always as identity primary key,
    asset_id integer not null references ops.source_asset,
    erasure_id uuid not null references ops.erasure,
    old_raw_zone_key text not null,
    new_raw_zone_key text not null,
    line_count bigint not null,
    redacted_at timestamptz not null default clock_timestamp()
);
create index if not exists raw_zone_redaction_by_asset on ops.raw_zone_redaction (asset_id);

-- What a load was completed with before an erasure; ops.completed_load says what is left of it.
create table if not exists ops.erased_load (
    erasure_id uuid not null references ops.erasure,
    load_id text not null,
    table_name text not null,
    row_count bigint not null,
    row_digest numeric not null,
    primary key (erasure_id, load_id, table_name)
);

-- What left a released version of a partition; release.partition_version says what is left of it.
create table if not exists ops.erased_version (
    erasure_id uuid not null references ops.erasure,
    partition_key date not null,
    data_release_id bigint not null,
    ticket_count bigint not null,
    ticket_digest numeric not null,
    primary key (erasure_id, partition_key, data_release_id)
);

-- Tickets whose events went: Silver builds them anew until the erasure is finished.
create table if not exists ops.unbuilt_erasure (
    ticket_id text primary key
);

-- Owner: the loader. (docs/decisions/0012)
-- Which warehouse this is. The first row is made once for a database, from its erasure key: a backup of it has the same,
-- whatever tables it was made with. Each further row: the warehouse was found restored to an earlier state than its
-- reports know, and goes on from there as another line of the same history.
create table if not exists ops.timeline (
    timeline_number bigint generated always as identity primary key,
    timeline_id uuid not null unique,
    began_at timestamptz not null default now(),
    event_number bigint not null default nextval('ops.event_number')
);
insert into ops.timeline (timeline_id)
select encode(substr(sha256('omnisupport warehouse'::bytea || hash_key), 1, 16), 'hex')::uuid
from ops.erasure_key
where not exists (select from ops.timeline);

-- Owner: the loader. What the other roles may see of its schemas; dbt grants what it makes itself. (docs/access.md)
grant usage on schema bronze, ops, release to omni_transform;
grant select on all tables in schema bronze, ops, release to omni_transform;
-- Who was erased stays a keyed hash for everybody else.
revoke all on ops.erasure_key from omni_transform;
-- The locks of a build are omni_transform's to take: a right to update a relation is what it needs to lock it.
revoke all on ops.ingest_lock, ops.build_lock, ops.catalog_lock, ops.function_lock from omni_transform;
grant update on ops.build_lock, ops.catalog_lock, ops.function_lock to omni_transform;

-- The auditor: every decision and its evidence, no payload.
grant usage on schema ops, release to omni_auditor;
grant select on all tables in schema ops, release to omni_auditor;
revoke all on
    release.ticket_row, ops.erasure_key, ops.ingest_lock, ops.build_lock, ops.catalog_lock, ops.function_lock
from omni_auditor;

-- Whoever changes Silver leaves a note (ops.note_change), and cannot remove one.
grant insert (table_name, row_key, partition_key) on ops.unproved_change to omni_transform;

-- Rows.
insert into ops.schema_version (version, definition_sha256, loader_version) values (3, '5c3f662f070477b4c21b0323423336d656eb6e69022dc1d3547c45b95d93779d', '1.0.0');
insert into ops.source_asset (source_fingerprint, size_bytes, content_encoding, content_bytes, raw_zone_key, registered_by_run_id)
values (repeat('a', 64), 12, 'identity', 12, 'sha256/aa/aa/' || repeat('a', 64), '00000000-0000-7000-8000-000000000001');
insert into ops.ruleset (ruleset_sha256, contract_ref, components) values (repeat('b', 64), 'ticket_v1', '{}');
insert into ops.ingest_run (
    run_id, attempt, trace_id, mode, status, stage, batch_id, manifest_ids, ruleset_id, lock_pid, process_id, host, loader_version)
values (
    '00000000-0000-7000-8000-000000000001', 1, repeat('c', 32), 'ingest', 'success', 'finished', 'batch-20260417-001',
    '{m1}', 1, 1, 1, 'host', '1.0.0');
insert into ops.completed_load (load_id, table_name, run_id, attempt, row_count, row_digest)
values ('1.5', 'asset_line', '00000000-0000-7000-8000-000000000001', 1, 1, 5);
insert into bronze.asset_line (byte_offset, byte_length, asset_id, line_number, ruleset_id, kind, _dlt_load_id)
values (0, 12, 1, 1, 1, 'blank', '1.5');
insert into release.data_release (kind, run_id, attempt, trace_id, operator)
values ('publish', '00000000-0000-7000-8000-000000000001', 1, repeat('c', 32), 'ana');
insert into release.partition_version (partition_key, data_release_id, ticket_count, ticket_digest)
values ('2026-04-17', 1, 1, 17);
insert into release.partition_pointer (partition_key, data_release_id, moved_by) values ('2026-04-17', 1, 1);
insert into release.pending_ticket (ticket_id) values ('TKT-20260417-000001');
insert into release.ticket_row (
    first_release_id, row_digest, ticket_id, record_source, schema_version, customer_id, status, priority, product_line,
    created_at, pii_level, quality_gate, owner, partition_key, is_open, version_count, warning_codes, record_fingerprint,
    event_id, asset_id, line_number, ingest_batch_id, run_id, dlt_load_id)
values (
    1, 17, 'TKT-20260417-000001', 'desk', 'ticket_v1', 'CUST-1', 'open', 'p1_critical', 'line', '2026-04-17 08:00:00+00',
    'low', 'pass', 'owner', '2026-04-17', true, 1, '{}', repeat('d', 64), '00000000-0000-0000-0000-000000000009', 1, 1,
    'batch-20260417-001', '00000000-0000-7000-8000-000000000001', '1.5');
insert into release.partition_hold (partition_key, operator, reason) values ('2026-04-18', 'ana', 'a closed month');
insert into release.hold_change (partition_key, is_held, operator, reason) values ('2026-04-18', true, 'ana', 'a closed month');
insert into release.acceptance (partition_key, check_name, measure, operator, reason)
values ('2026-04-17', 'drift_volume', 'tickets', 'ana', 'a holiday');
insert into ops.erasure (erasure_id, customer_hash, operator, reason, trace_id, removed, finished_at)
values ('00000000-0000-4000-8000-000000000005', sha256('x'), 'ana', 'asked for', repeat('c', 32), '{"raw_ticket_event": 1}', now());
insert into ops.erased_line (asset_id, line_number, erasure_id) values (1, 1, '00000000-0000-4000-8000-000000000005');
