-- Owner: the loader. What the other roles may see of its schemas; dbt grants what it makes itself. (docs/access.md)
grant usage on schema bronze, ops, release to omni_transform;
grant select on all tables in schema bronze, ops, release to omni_transform;
-- Who was erased stays a keyed hash for everybody else.
revoke all on ops.erasure_key from omni_transform;
-- The locks of a build are omni_transform's to take: a right to update a relation is what it needs to lock it.
revoke all on ops.ingest_lock, ops.build_lock, ops.catalog_lock, ops.function_lock from omni_transform;
grant update on ops.build_lock, ops.catalog_lock, ops.function_lock to omni_transform;

-- The auditor: every decision and its evidence, no payload.
grant usage on schema ops, release to omni_auditor;
grant select on all tables in schema ops, release to omni_auditor;
revoke all on
    ops.erasure_key, ops.ingest_lock, ops.build_lock, ops.catalog_lock, ops.function_lock
from omni_auditor;
do $rows$
declare
    released text;
begin
    for released in select table_name from release.released_kind loop
        execute format('revoke all on release.%I from omni_auditor', released);
    end loop;
end $rows$;

-- Whoever changes Silver leaves a note (ops.note_change), and cannot remove one.
grant insert (table_name, row_key, partition_key) on ops.unproved_change to omni_transform;
