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
