-- definition 49f58f39b86cd33e8ce45b9544a44fb94a8587f8721a46510d752c7ade0e1d55
-- From the shapes that before_numbers.txt lists to the first that has a number. A table that a shape does not have yet
-- is made by the definition files afterwards.

-- A renamed column: loaders from before numbers stop at it, instead of putting their older functions back.
alter table ops.schema_version rename column content_sha256 to definition_sha256;
alter table ops.schema_version
    rename constraint schema_version_content_sha256_check to schema_version_definition_sha256_check;
alter table ops.schema_version add column version integer not null default 1 check (version >= 1);
alter table ops.schema_version alter column version drop default;

-- The writer whose work a run is.
alter table ops.ingest_run add column if not exists writer_token uuid;

-- What warehouses kept, or did not get, that began with still older shapes.
alter table ops.run_evidence drop constraint if exists run_evidence_run_id_attempt_fkey;
alter table release.pending_ticket add column if not exists is_assessed boolean not null default false;

-- release.accepted_drift (check_name, subject) became release.acceptance (check_name, measure), in steps.
do $acceptance$
begin
    if to_regclass('release.accepted_drift') is not null then
        alter table release.accepted_drift rename to acceptance;
    end if;
    -- A table that was renamed kept the names of what is its own.
    alter sequence if exists release.accepted_drift_acceptance_id_seq rename to acceptance_acceptance_id_seq;
    if exists (
        select from pg_constraint
        where conrelid = to_regclass('release.acceptance') and conname = 'accepted_drift_pkey'
    ) then
        alter table release.acceptance rename constraint accepted_drift_pkey to acceptance_pkey;
    end if;
    if exists (
        select from pg_attribute
        where attrelid = to_regclass('release.acceptance') and attname = 'subject' and not attisdropped
    ) then
        alter table release.acceptance rename column subject to measure;
    end if;
end $acceptance$;
alter table if exists release.acceptance
    add column if not exists trace_id text,
    add column if not exists acceptance_id bigint generated always as identity;
