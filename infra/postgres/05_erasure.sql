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

-- Records of people who were erased, by a keyed hash of their kind and key: a file that names one, and is erased with it,
-- is erased on its way in.
create table if not exists ops.erased_record (
    record_hash bytea primary key check (octet_length(record_hash) = 32),
    erasure_id uuid not null references ops.erasure
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
    record_kind text not null,
    partition_key date not null,
    data_release_id bigint not null,
    record_count bigint not null,
    record_digest numeric not null,
    primary key (erasure_id, record_kind, partition_key, data_release_id)
);

-- Records whose events went: Silver builds them anew until the erasure is finished.
create table if not exists ops.unbuilt_erasure (
    record_kind text not null,
    record_key text not null,
    primary key (record_kind, record_key)
);
