-- Owner: the loader. (docs/decisions/0012)
-- Which warehouse this is. The first row is made once for a database, from its erasure key: a backup of it has the same,
-- whatever tables it was made with. Each further row: the warehouse was found restored to an earlier state than its
-- reports know, and goes on from there as another line of the same history.
create table if not exists ops.timeline (
    timeline_number bigint generated always as identity primary key,
    timeline_id uuid not null unique,
    began_at timestamptz not null default now(),
    event_number bigint not null default nextval('ops.event_number')
);
insert into ops.timeline (timeline_id)
select encode(substr(sha256('omnisupport warehouse'::bytea || hash_key), 1, 16), 'hex')::uuid
from ops.erasure_key
where not exists (select from ops.timeline);
