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

-- The encoding is fixed, so the answer is: PostgreSQL's own convert_to would allow for one that changes.
create or replace function ops.text_sha256(content text) returns bytea
language sql immutable parallel safe strict
return sha256(convert_to(content, 'UTF8'));

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
    -- The bytes as they were delivered, where that was another dialect, with files of several kinds. The row is then
    -- of the part of one kind, and manifest_bytes are how that was read; null where these were delivered.
    delivered_bytes bytea,
    check ((window_start is null) = (window_end is null)),
    check (window_start < window_end)
);

-- A content under a kind: what is read from it, taken of it and erased in it is that kind's. The same bytes under another
-- kind are another asset, of the same object in the raw zone.
create table if not exists ops.source_asset (
    asset_id integer generated always as identity primary key,
    source_fingerprint text not null check (source_fingerprint ~ '^[0-9a-f]{64}$'),
    size_bytes bigint not null,
    content_encoding text not null check (content_encoding in ('identity', 'gzip')),
    -- Decompressed size, counted by the gate: the reader's lines must tile exactly this.
    content_bytes bigint not null,
    raw_zone_key text not null,
    registered_by_run_id uuid not null,
    registered_at timestamptz not null default now(),
    record_kind text not null,
    -- What the manifest declares of a file that is a record, as canonical JSON. The same bytes under another
    -- declaration are another asset. Empty of a file of lines.
    declaration text not null default ''
);
create unique index if not exists source_asset_by_content
on ops.source_asset (source_fingerprint, record_kind, ops.text_sha256(declaration));

-- Facts of files that are records, as they were read first: of these bytes as an asset of this type, by this version of
-- the reader. A later version keeps its own. With a reason code: why there are none.
create table if not exists ops.asset_facts (
    source_fingerprint text not null check (source_fingerprint ~ '^[0-9a-f]{64}$'),
    asset_type text not null,
    reader text not null,
    facts_version text not null,
    -- Canonical JSON, numbers exact; the names of those that are estimates; the libraries and their versions.
    facts text not null,
    estimated text[] not null,
    libraries jsonb not null,
    reason_code text,
    message text,
    read_by_run_id uuid not null,
    read_at timestamptz not null default now(),
    primary key (source_fingerprint, asset_type, reader, facts_version)
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
    -- The day that is declared of a file that is a record; null of a file of lines.
    partition_key date,
    -- Where the file was found when it was judged; null where it may not be read.
    found_path text,
    primary key (manifest_id, source_id),
    check ((disposition = 'admitted') = (asset_id is not null))
);
create index if not exists manifest_asset_by_asset on ops.manifest_asset (asset_id);
create index if not exists manifest_asset_by_source on ops.manifest_asset (source_id);

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
    -- The record kind. In effect is the newest of each.
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
    -- Of which its manifests are, and its ruleset.
    record_kind text not null,
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
    table_name text not null check (table_name in ('record_event', 'asset_line', 'rejected_record')),
    -- Of which all of its rows are.
    record_kind text not null,
    run_id uuid not null,
    attempt integer not null,
    row_count bigint not null,
    row_digest numeric not null,
    completed_at timestamptz not null default now(),
    -- Greatest updated_at, or created_at without one, of the load's events by record source: {"<source>": "<instant>"}.
    newest_at jsonb not null default '{}',
    event_number bigint not null default nextval('ops.event_number'),
    -- How row_digest was computed: 2 as ops.load_content does; 1 as it did before there were kinds, of a load whose rows
    -- were not what it was completed with when they moved: it stays named.
    digest_version smallint not null default 2,
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
create index if not exists run_evidence_by_run on ops.run_evidence (run_id);

-- Records that stand and whose file may not: their transaction has committed, the file is written after it. Emptied by
-- whoever writes the files, at the latest by the next command that writes.
create table if not exists ops.unwritten_evidence (
    evidence_id bigint primary key
);

create or replace function ops.refuse_change_of_evidence() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception '% on ops.run_evidence refused: evidence is added, never changed', tg_op
        using hint = 'make verify EVIDENCE=1 tells what was changed all the same.';
end $$;

create or replace trigger refuse_change before update or delete on ops.run_evidence
for each row execute function ops.refuse_change_of_evidence();
create or replace trigger refuse_truncate before truncate on ops.run_evidence
for each statement execute function ops.refuse_change_of_evidence();

-- The reconcile row of each partition as the last run that proved it recorded it. For who must not evaluate what dbt
-- built: whoever reads a view runs its functions (docs/decisions/0013).
create or replace view ops.recorded_partition as
select distinct on (told.record_kind, told.partition_key)
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
    told.record -> 'checks' as checks,
    told.record_kind
from (
    select evidence_id, run_id, attempt, written_at, record, (record ->> 'partition_key')::date as partition_key,
        run.record_kind
    from ops.run_evidence
    inner join ops.ingest_run as run using (run_id, attempt)
    cross join lateral (select convert_from(content, 'UTF8')::jsonb as record) as decoded
    where run_id is not null and record -> 'reconcile' ->> 'is_complete' is not null
) as told
order by told.record_kind, told.partition_key, told.evidence_id desc;
