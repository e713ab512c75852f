-- Owner: the loader. What has been proved, and what has changed since: an ingest proves the difference.
-- (docs/decisions/0007)

-- One row per proof that closed, over everything or over what had changed: for every partition but those that it left
-- open.
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
    -- Of what reconcile had findings: objects of record_kind (null: of any) and partition_key (null: every day of the
    -- kind). They stay as readers see them (docs/decisions/0017).
    open_partitions jsonb not null default '[]',
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

-- Rows that were changed after they were landed or proved, by whom and why does not matter: rows of Silver by
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
    for bronze_table in select table_name from bronze.guarded_table loop
        execute format(
            'create or replace trigger refuse_change before update or delete or truncate on bronze.%I
             for each statement execute function bronze.refuse_change()', bronze_table);
        execute format(
            'create or replace trigger require_live_attempt before insert on bronze.%I
             for each statement execute function bronze.require_live_attempt()', bronze_table);
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

-- How each asset counts: the latest ruleset under which it was read whole, or else (under a limit, or cut off) at all, its
-- smallest place in upstream's order, how much of it has been taken. Where only whole readings matter: `is_complete`.
-- One row for each asset, also where a row that names its kind is doubled: else Bronze would look doubled as well.
create or replace view ops.asset_reading as
select
    latest.asset_id,
    latest.ruleset_id,
    coalesce(place.sequence, 0) as sequence,
    coalesce(taken.partition_count, 0) as taken_partition_count,
    latest.is_complete,
    coalesce(asset.record_kind, ruleset.contract_ref) as record_kind
from (
    select distinct on (asset_id) asset_id, ruleset_id, is_complete from ops.asset_index
    order by asset_id, is_complete desc, ruleset_id desc
) as latest
left join (
    select asset_id, min(record_kind) as record_kind from ops.source_asset group by asset_id
) as asset using (asset_id)
left join (
    select ruleset_id, min(contract_ref) as contract_ref from ops.ruleset group by ruleset_id
) as ruleset using (ruleset_id)
left join ops.asset_place as place using (asset_id)
left join (
    select asset_id, ruleset_id, count(taken_by_run_id) as partition_count
    from ops.asset_partition group by asset_id, ruleset_id
) as taken using (asset_id, ruleset_id);
