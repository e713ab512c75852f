-- Owner: the loader. What came before what, and which warehouse this is. (docs/decisions/0012)
-- A clock may go back; a sequence does not. Everything that is told apart by "before" and "after" takes its number from
-- one sequence when its row is made, so that a run, a load, a release and an erasure compare with each other.
create sequence if not exists ops.event_number as bigint;

alter table ops.manifest add column if not exists event_number bigint;
alter table ops.ingest_run add column if not exists event_number bigint;
alter table ops.completed_load add column if not exists event_number bigint;
alter table ops.ingest_state_change add column if not exists event_number bigint;
alter table ops.run_evidence add column if not exists event_number bigint;
alter table ops.proof add column if not exists event_number bigint;
alter table ops.erasure add column if not exists event_number bigint;
alter table release.data_release add column if not exists event_number bigint;
alter table release.expiry add column if not exists event_number bigint;

-- The last stage that an attempt had done before its end: of one that failed, `stage` says finished.
alter table ops.ingest_run add column if not exists last_stage text;

-- Rows from before there were numbers: by their instants, which is all that is known of them; within a table that
-- numbers its rows, never against these numbers.
do $$
begin
    if not exists (select from ops.ingest_run where event_number is null)
        and not exists (select from ops.run_evidence where event_number is null)
        and not exists (select from release.data_release where event_number is null)
        and not exists (select from ops.proof where event_number is null)
        and not exists (select from ops.ingest_state_change where event_number is null)
        and not exists (select from ops.erasure where event_number is null)
    then
        return;
    end if;
    create temporary table numbered on commit drop as
    select happened.place, row_number() over (order by happened.at, happened.rank, happened.place) as event_number
    from (
        select 'r' || run_id || '.' || attempt as place, 1 as rank, started_at as at from ops.ingest_run
        union all
        select 'm' || manifest_id, 2, registered_at from ops.manifest
        union all
        select 'l' || table_name || ' ' || load_id, 3, completed_at from ops.completed_load
        union all
        select 'p' || lpad(proof_id::text, 20, '0'), 5, max(proved_at) over (order by proof_id) from ops.proof
        union all
        select 'd' || lpad(data_release_id::text, 20, '0'), 6, max(released_at) over (order by data_release_id)
        from release.data_release
        union all
        select 'x' || lpad(expiry_id::text, 20, '0'), 6, max(expired_at) over (order by expiry_id) from release.expiry
        union all
        select 'e' || erasure_id, 7, removed_at from ops.erasure
        union all
        select 'v' || lpad(evidence_id::text, 20, '0'), 8, max(written_at) over (order by evidence_id)
        from ops.run_evidence
        union all
        select 's' || lpad(change_id::text, 20, '0'), 9, max(changed_at) over (order by change_id)
        from ops.ingest_state_change
    ) as happened;
    -- Evidence takes no change, but for this one.
    alter table ops.run_evidence disable trigger refuse_change;
    update ops.ingest_run as held set event_number = numbered.event_number
    from numbered where numbered.place = 'r' || held.run_id || '.' || held.attempt;
    update ops.manifest as held set event_number = numbered.event_number
    from numbered where numbered.place = 'm' || held.manifest_id;
    update ops.completed_load as held set event_number = numbered.event_number
    from numbered where numbered.place = 'l' || held.table_name || ' ' || held.load_id;
    update ops.proof as held set event_number = numbered.event_number
    from numbered where numbered.place = 'p' || lpad(held.proof_id::text, 20, '0');
    update release.data_release as held set event_number = numbered.event_number
    from numbered where numbered.place = 'd' || lpad(held.data_release_id::text, 20, '0');
    update release.expiry as held set event_number = numbered.event_number
    from numbered where numbered.place = 'x' || lpad(held.expiry_id::text, 20, '0');
    update ops.erasure as held set event_number = numbered.event_number
    from numbered where numbered.place = 'e' || held.erasure_id;
    update ops.run_evidence as held set event_number = numbered.event_number
    from numbered where numbered.place = 'v' || lpad(held.evidence_id::text, 20, '0');
    update ops.ingest_state_change as held set event_number = numbered.event_number
    from numbered where numbered.place = 's' || lpad(held.change_id::text, 20, '0');
    alter table ops.run_evidence enable trigger refuse_change;
    perform setval('ops.event_number', greatest(max(event_number), 1)) from numbered;
end $$;

update ops.ingest_run set last_stage = coalesce((
    select ended.key from jsonb_each_text(stage_ended_at) as ended where ended.key <> 'finished'
    order by ended.value::timestamptz desc limit 1
), 'started')
where last_stage is null;

do $$
declare
    numbered text;
begin
    foreach numbered in array array[
        'ops.manifest', 'ops.ingest_run', 'ops.completed_load', 'ops.ingest_state_change', 'ops.run_evidence',
        'ops.proof', 'ops.erasure', 'release.data_release', 'release.expiry'
    ] loop
        execute 'alter table ' || numbered || ' alter column event_number set default nextval(''ops.event_number''),'
            ' alter column event_number set not null';
    end loop;
end $$;
alter table ops.ingest_run alter column last_stage set default 'started', alter column last_stage set not null;
create unique index if not exists ingest_run_by_event on ops.ingest_run (event_number);

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
