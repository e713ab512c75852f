-- Owner: the loader. What changed for readers, in the order in which it did: whoever has read it up to a number, and
-- asks for what is greater, misses nothing. (docs/decisions/0031)

-- One row per record and act that changed what readers see of it. Numbers grow, without a gap, in the order of commits
-- (loader/release/feed.py).
create table if not exists release.change (
    change_number bigint primary key,
    -- The release that changed it; null: an erasure wrote this, or took from it what it said.
    data_release_id bigint,
    record_kind text not null,
    record_key text not null,
    operation text not null check (operation in ('insert', 'update', 'delete', 'erased')),
    -- The digest of the row that readers see since, as the table of its kind has it; null: they see none.
    row_digest numeric,
    check ((operation in ('insert', 'update')) = (row_digest is not null)),
    check (operation <> 'erased' or data_release_id is null)
);
-- Cutting off empty pages at its end would lock readers out.
alter table release.change set (vacuum_truncate = false);

-- Only an erasure may change a row, and nothing takes one away.
create or replace function release.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'UPDATE' and coalesce(current_setting('omni.maintenance', true), '') = 'erasure' then
        return null;
    end if;
    raise exception '% on %.% refused: it is append-only', tg_op, tg_table_schema, tg_table_name
        using hint = 'Who was erased leaves it through the loader''s erasure.';
end $$;
create or replace trigger refuse_change before update or delete or truncate on release.change
for each statement execute function release.refuse_change();

-- A warehouse from before there was a feed: it begins with what readers see (migrations/0013_changes.sql).
do $begin$
declare
    kind record;
begin
    if coalesce(current_setting('omni.feed_begins', true), '') <> 'here' then
        return;
    end if;
    for kind in select record_kind, table_name, key_column from release.released_kind order by record_kind loop
        execute format($$
            insert into release.change
                (change_number, data_release_id, record_kind, record_key, operation, row_digest)
            select
                (select coalesce(max(change_number), 0) from release.change)
                + row_number() over (order by row.partition_key, row.%1$I),
                (select max(data_release_id) from release.data_release),
                %2$L,
                row.%1$I,
                'insert',
                row.row_digest
            from release.%3$I as row
            inner join release.partition_pointer as pointer
                on pointer.record_kind = %2$L and pointer.partition_key = row.partition_key
            where row.first_release_id <= pointer.data_release_id
                and (row.end_release_id is null or row.end_release_id > pointer.data_release_id)
        $$, kind.key_column, kind.record_kind, kind.table_name);
    end loop;
end $begin$;
