-- Owner: the loader. What a writer holds, and what fences off one that lost it (docs/decisions/0014).
create schema if not exists ops;

-- Locks are relations, since only who may write to a relation may lock it against others; advisory locks are anybody's.
-- They are taken in mode EXCLUSIVE, which no right to read conflicts with, and are views, which a VACUUM or ANALYZE of
-- the whole database passes by. ingest_lock: one writer a warehouse. build_lock: one build of Silver at a time.
-- catalog_lock: who creates schemas and views, or these files' tables; function_lock: who creates reconcile's functions.
-- (When two create the same at once, PostgreSQL fails one.)
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
