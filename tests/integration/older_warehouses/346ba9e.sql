-- What commit 346ba9e (version 5) had of releases, erasures and proofs, in its own words; the rest of its tables is as it
-- is now. Then a few rows as its loader wrote them.

create schema if not exists ops;
create sequence if not exists ops.event_number as bigint;

create table if not exists ops.schema_version (
    is_current boolean primary key default true check (is_current),
    -- The number of the last file of migrations/ that counts as applied: a new database begins with it.
    version integer not null check (version >= 1),
    -- Of the files beside this one, so that an edited function, view or grant is applied within a version.
    definition_sha256 text not null check (definition_sha256 ~ '^[0-9a-f]{64}$'),
    loader_version text not null,
    applied_at timestamptz not null default now()
);

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

create table if not exists ops.erased_version (
    erasure_id uuid not null references ops.erasure,
    partition_key date not null,
    data_release_id bigint not null,
    ticket_count bigint not null,
    ticket_digest numeric not null,
    primary key (erasure_id, partition_key, data_release_id)
);

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

-- Rows.
insert into ops.proof (scope, dbt_invocation_id, project_sha256, load_count, open_partitions) values
    ('all', 'i', 'p', 1, '{}'),
    ('all', 'j', 'p', 1, '{2026-04-14,2026-04-16}');
insert into ops.schema_version (version, definition_sha256, loader_version) values (5, '07d639986af1cd2ab2d12a2799b522a9eae3c2a6f132ef2f08bd7ceb0f64f5b7', '1.0.0');
insert into release.data_release (kind, run_id, attempt, trace_id, operator, reason) values
    ('publish', '00000000-0000-7000-8000-000000000001', 1, repeat('c', 32), 'ana', null),
    ('publish', '00000000-0000-7000-8000-000000000002', 1, repeat('c', 32), 'ana', null),
    ('restore', null, null, repeat('c', 32), 'ana', 'wrong numbers');
insert into release.expiry (older_than, kept_count, removed_row_count, trace_id, operator, reason, plan_id)
values (now(), 1, 0, repeat('c', 32), 'ana', 'old', '00000000-0000-4000-8000-000000000006');
insert into release.partition_version (partition_key, data_release_id, ticket_count, ticket_digest, expired_by)
values ('2026-04-15', 1, 0, 0, 1);
insert into release.partition_version (partition_key, data_release_id, ticket_count, ticket_digest)
values
    ('2026-04-16', 1, 0, 0), ('2026-04-16', 2, 1, 7049556472934483942), ('2026-04-17', 1, 1, -4737157116651117819),
    ('2026-04-17', 2, 0, 0);
insert into release.partition_pointer (partition_key, data_release_id, moved_by)
values ('2026-04-16', 1, 3), ('2026-04-17', 1, 3);
insert into release.pointer_move (moved_by, partition_key, old_data_release_id, new_data_release_id) values
    (1, '2026-04-17', 0, 1), (2, '2026-04-16', 1, 2), (2, '2026-04-17', 1, 2), (3, '2026-04-16', 2, 1),
    (3, '2026-04-17', 2, 1);
insert into release.partition_link (data_release_id, old_partition_key, new_partition_key, ticket_count)
values (2, '2026-04-17', '2026-04-16', 1);
insert into release.pending_ticket (ticket_id) values ('TKT-20260417-000001'), ('*');
insert into release.partition_gate (partition_key, is_pending, obstacles) values
    ('2026-04-16', false, '{3 files are missing}'), ('2026-04-17', true, '{held}');
insert into release.ticket_row (
    first_release_id, end_release_id, row_digest, ticket_id, record_source, schema_version, customer_id, status, priority,
    product_line, sla_due_at, created_at, pii_level, quality_gate, owner, partition_key, is_open, version_count,
    warning_codes, record_fingerprint, event_id, asset_id, line_number, ingest_batch_id, run_id, dlt_load_id)
select
    first_release_id, end_release_id, row_digest, 'TKT-20260417-000001', 'desk', 'ticket_v1', 'CUST-1', 'open', 'p1_critical', 'line',
    '2026-04-18 08:00:00.123456+00', '2026-04-17 08:00:00+00', 'low', 'pass', 'owner', partition_key, true, 1, '{a b}',
    repeat('d', 64), '00000000-0000-0000-0000-000000000009', 1, 1, 'batch-20260417-001',
    '00000000-0000-7000-8000-000000000001', '1.5'
from (values (1, 2, -4737157116651117819, date '2026-04-17'), (2, null, 7049556472934483942, '2026-04-16'))
    as shown (first_release_id, end_release_id, row_digest, partition_key);
insert into release.partition_hold (partition_key, operator, reason) values ('2026-04-17', 'ana', 'restored by release 3');
insert into release.hold_change (partition_key, is_held, operator, reason)
values ('2026-04-17', true, 'ana', 'restored by release 3');
insert into release.acceptance (partition_key, check_name, measure, operator, reason)
values ('2026-04-17', 'drift_volume', 'tickets', 'ana', 'a holiday');
insert into ops.erasure (erasure_id, customer_hash, operator, reason, trace_id, removed, finished_at)
values ('00000000-0000-4000-8000-000000000005', sha256('x'), 'ana', 'asked for', repeat('c', 32), '{"raw_ticket_event": 1}', now());
insert into ops.erased_version (erasure_id, partition_key, data_release_id, ticket_count, ticket_digest)
values ('00000000-0000-4000-8000-000000000005', '2026-04-17', 1, 2, -9);
