-- Owner: the loader. What readers may see: for each partition of a kind, which of its released versions. The rows of the
-- versions are the kinds' own (04_release_rows.sql). (docs/decisions/0008)
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
    record_kind text not null,
    partition_key date not null,
    data_release_id bigint not null references release.data_release,
    record_count bigint not null,
    record_digest numeric not null,
    -- Its rows are gone, as far as no other version shows them: no pointer goes there again. What it was stays.
    expired_by bigint references release.expiry,
    primary key (record_kind, partition_key, data_release_id)
);

-- The version that readers see; 0: none. Moved, never deleted.
create table if not exists release.partition_pointer (
    record_kind text not null,
    partition_key date not null,
    data_release_id bigint not null,
    -- The release that set it here.
    moved_by bigint not null references release.data_release,
    primary key (record_kind, partition_key)
);

-- Every place where a pointer has been.
create table if not exists release.pointer_move (
    moved_by bigint not null references release.data_release,
    record_kind text not null,
    partition_key date not null,
    old_data_release_id bigint not null,
    new_data_release_id bigint not null,
    primary key (record_kind, partition_key, moved_by)
);
create index if not exists pointer_move_by_release on release.pointer_move (moved_by);

-- Partitions of a kind between which a release moved records. Both show that release or a later one, or both an earlier
-- one: otherwise readers would see a record twice, or not at all.
create table if not exists release.partition_link (
    data_release_id bigint not null references release.data_release,
    record_kind text not null,
    old_partition_key date not null,
    new_partition_key date not null,
    record_count bigint not null,
    primary key (record_kind, data_release_id, old_partition_key, new_partition_key)
);

-- A held partition stays as it is, whatever runs.
create table if not exists release.partition_hold (
    record_kind text not null,
    partition_key date not null,
    operator text not null,
    reason text not null,
    held_at timestamptz not null default clock_timestamp(),
    primary key (record_kind, partition_key)
);

-- Acts of people that move no pointer: hold and its end.
create table if not exists release.hold_change (
    change_id bigint generated always as identity primary key,
    record_kind text not null,
    partition_key date not null,
    is_held boolean not null,
    operator text not null,
    reason text not null,
    changed_at timestamptz not null default clock_timestamp(),
    trace_id text check (trace_id ~ '^[0-9a-f]{32}$')
);

-- What the gate last said of each partition: obstacles, each with its code, facts and message (loader/obstacles.py), none
-- where it was open; pending: proved rows of it are other than those that were released last, or may be since a proof
-- that the gate has not followed yet.
create table if not exists release.partition_gate (
    record_kind text not null,
    partition_key date not null,
    is_pending boolean not null,
    obstacles jsonb not null,
    judged_at timestamptz not null default clock_timestamp(),
    primary key (record_kind, partition_key)
);

-- Records that were proved to be other than released, or new; '*': any of the kind may be.
create table if not exists release.pending_record (
    record_kind text not null,
    record_key text not null,
    primary key (record_kind, record_key)
);

-- Cutting off empty pages at a table's end would lock readers out.
alter table release.partition_pointer set (vacuum_truncate = false);
alter table release.partition_hold set (vacuum_truncate = false);
alter table release.partition_version set (vacuum_truncate = false);
alter table release.partition_gate set (vacuum_truncate = false);
alter table release.pending_record set (vacuum_truncate = false);
alter table ops.unproved_change set (vacuum_truncate = false);
alter table ops.proved_load set (vacuum_truncate = false);

-- What a person has looked at and let pass: it keeps the partition back no more.
create table if not exists release.acceptance (
    record_kind text not null,
    partition_key date not null,
    -- As in reconcile.drift_finding; or too_many_rejects, and as measure the asset that the rejects are of.
    check_name text not null,
    measure text not null,
    operator text not null,
    reason text not null,
    accepted_at timestamptz not null default clock_timestamp(),
    trace_id text,
    acceptance_id bigint generated always as identity,
    primary key (record_kind, partition_key, check_name, measure)
);
