-- Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them.

-- Rows of silver.ticket_fact as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.ticket_fact (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- ops.digest64 of what follows.
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
    is_open boolean,
    version_count bigint not null,
    warning_codes text[] not null,
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
-- A record has one newest row.
create unique index if not exists ticket_fact_newest on release.ticket_fact (ticket_id) where end_release_id is null;
create index if not exists ticket_fact_by_key on release.ticket_fact (ticket_id);
create index if not exists ticket_fact_by_person on release.ticket_fact (customer_id);
-- Cutting off empty pages at its end would lock readers out.
alter table release.ticket_fact set (vacuum_truncate = false);


-- Rows of silver.ticket_comment_fact as they were released: shown from first_release_id up to, not including, end_release_id.
create table if not exists release.ticket_comment_fact (
    first_release_id bigint not null references release.data_release,
    end_release_id bigint,
    -- ops.digest64 of what follows.
    row_digest numeric not null,
    comment_id text not null,
    schema_version text not null,
    record_source text not null,
    ticket_id text not null,
    author_id text not null,
    author_role text not null,
    visibility text not null,
    word_count numeric,
    seconds_to_reply numeric,
    attachments jsonb,
    created_at timestamptz not null,
    updated_at timestamptz,
    partition_key date not null,
    version_count bigint not null,
    warning_codes text[] not null,
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
    primary key (partition_key, comment_id, first_release_id),
    check (end_release_id > first_release_id)
);
-- A record has one newest row.
create unique index if not exists ticket_comment_fact_newest on release.ticket_comment_fact (comment_id) where end_release_id is null;
create index if not exists ticket_comment_fact_by_key on release.ticket_comment_fact (comment_id);
create index if not exists ticket_comment_fact_by_person on release.ticket_comment_fact (author_id);
-- Cutting off empty pages at its end would lock readers out.
alter table release.ticket_comment_fact set (vacuum_truncate = false);

-- Which kinds have released rows: their tables and models, the columns of their records' key and person, and further
-- models of Silver that follow.
create or replace view release.released_kind as
select * from (values
    ('ticket_v1', 'raw_ticket_event', 'ticket_fact', 'ticket_id', 'customer_id', array['customer_dim']::text[]),
    ('ticket_comment_v1', 'raw_ticket_comment_event', 'ticket_comment_fact', 'comment_id', 'author_id', array[]::text[])
) as declared (record_kind, bronze_table, table_name, key_column, person_column, dimensions);
