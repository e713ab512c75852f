-- definition d8f0bdafb714d1575ee74d77c14b0ed53fdd47b3eb6e3b9750ebd70bcc7d7052
-- What is released is of a kind, and everything that was released is tickets. Rows stay where they are, under the name of
-- their model; what reads them follows, and the next build makes that anew.
do $release$
declare
    keyed record;
begin
    -- Each with its key, where it has one of partitions.
    for keyed in
        select * from (values
            ('release.partition_version', 'partition_version_pkey', 'record_kind, partition_key, data_release_id'),
            ('release.partition_pointer', 'partition_pointer_pkey', 'record_kind, partition_key'),
            ('release.pointer_move', 'pointer_move_pkey', 'record_kind, partition_key, moved_by'),
            ('release.partition_link', 'partition_link_pkey',
                'record_kind, data_release_id, old_partition_key, new_partition_key'),
            ('release.partition_hold', 'partition_hold_pkey', 'record_kind, partition_key'),
            ('release.hold_change', null, null),
            ('release.partition_gate', 'partition_gate_pkey', 'record_kind, partition_key'),
            ('release.acceptance', 'acceptance_pkey', 'record_kind, partition_key, check_name, measure'),
            ('release.pending_ticket', 'pending_ticket_pkey', 'record_kind, ticket_id'),
            ('ops.erased_version', 'erased_version_pkey', 'erasure_id, record_kind, partition_key, data_release_id')
        ) as held (table_name, key_name, columns)
        where to_regclass(held.table_name) is not null
    loop
        execute format($$alter table %s add column record_kind text not null default 'ticket_v1'$$, keyed.table_name);
        execute format('alter table %s alter column record_kind drop default', keyed.table_name);
        if keyed.key_name is not null then
            execute format(
                'alter table %s drop constraint %I, add constraint %I primary key (%s)',
                keyed.table_name, keyed.key_name, keyed.key_name, keyed.columns);
        end if;
    end loop;
end $release$;

alter table release.pending_ticket rename to pending_record;
alter table release.pending_record rename column ticket_id to record_key;
alter table release.pending_record rename constraint pending_ticket_pkey to pending_record_pkey;

alter table release.partition_version rename column ticket_count to record_count;
alter table release.partition_version rename column ticket_digest to record_digest;
alter table release.partition_link rename column ticket_count to record_count;
do $erased$
begin
    if to_regclass('ops.erased_version') is not null then
        alter table ops.erased_version rename column ticket_count to record_count;
        alter table ops.erased_version rename column ticket_digest to record_digest;
    end if;
end $erased$;

alter table release.ticket_row rename to ticket_fact;
alter table release.ticket_fact
    alter column is_open drop not null;
alter table release.ticket_fact rename constraint ticket_row_pkey to ticket_fact_pkey;
alter table release.ticket_fact rename constraint ticket_row_check to ticket_fact_check;
alter table release.ticket_fact rename constraint ticket_row_first_release_id_fkey to ticket_fact_first_release_id_fkey;
alter index release.ticket_row_newest rename to ticket_fact_newest;
alter index release.ticket_row_by_ticket rename to ticket_fact_by_key;
alter index release.ticket_row_by_customer rename to ticket_fact_by_person;
