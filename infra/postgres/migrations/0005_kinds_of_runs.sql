-- definition 07d639986af1cd2ab2d12a2799b522a9eae3c2a6f132ef2f08bd7ceb0f64f5b7
-- A run, each of its loads, and what an erasure leaves to build are of one kind. There was one so far.
alter table ops.ingest_run add column record_kind text not null default 'ticket_v1';
alter table ops.ingest_run alter column record_kind drop default;

alter table ops.completed_load add column record_kind text not null default 'ticket_v1';
alter table ops.completed_load alter column record_kind drop default;

create table if not exists ops.unbuilt_erasure (ticket_id text primary key);
alter table ops.unbuilt_erasure rename column ticket_id to record_key;
alter table ops.unbuilt_erasure add column record_kind text not null default 'ticket_v1';
alter table ops.unbuilt_erasure
    alter column record_kind drop default,
    drop constraint unbuilt_erasure_pkey,
    add primary key (record_kind, record_key);
