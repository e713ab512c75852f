-- Which version of these files the database holds: one row, written by the loader after it applied them all.
create schema if not exists ops;

create table if not exists ops.schema_version (
    is_current boolean primary key default true check (is_current),
    content_sha256 text not null check (content_sha256 ~ '^[0-9a-f]{64}$'),
    loader_version text not null,
    applied_at timestamptz not null default now()
);
