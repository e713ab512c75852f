-- definition 3cf388eb595d28021da20f390cb07630a8065a631722ff7c5925cf79a98770e6
-- What came before what: a number of one sequence on every row that is told apart by "before" and "after".
create sequence ops.event_number as bigint;

alter table ops.manifest add column event_number bigint;
alter table ops.ingest_run add column event_number bigint;
alter table ops.completed_load add column event_number bigint;
alter table ops.ingest_state_change add column event_number bigint;
alter table ops.run_evidence add column event_number bigint;
alter table ops.proof add column event_number bigint;
alter table if exists ops.erasure add column event_number bigint;
alter table release.data_release add column event_number bigint;
alter table release.expiry add column event_number bigint;
alter table ops.ingest_run add column last_stage text;

-- Rows from before there were numbers: by their instants, which is all that is known of them; within a table that
-- numbers its rows, never against these numbers.
do $numbers$
begin
    create temporary table happened on commit drop as
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
    select 'v' || lpad(evidence_id::text, 20, '0'), 8, max(written_at) over (order by evidence_id)
    from ops.run_evidence
    union all
    select 's' || lpad(change_id::text, 20, '0'), 9, max(changed_at) over (order by change_id)
    from ops.ingest_state_change;
    if to_regclass('ops.erasure') is not null then
        insert into happened select 'e' || erasure_id, 7, removed_at from ops.erasure;
    end if;
    create temporary table numbered on commit drop as
    select place, row_number() over (order by at, rank, place) as event_number from happened;
    -- Evidence takes no change, but for this one.
    alter table ops.run_evidence disable trigger user;
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
    update ops.run_evidence as held set event_number = numbered.event_number
    from numbered where numbered.place = 'v' || lpad(held.evidence_id::text, 20, '0');
    update ops.ingest_state_change as held set event_number = numbered.event_number
    from numbered where numbered.place = 's' || lpad(held.change_id::text, 20, '0');
    alter table ops.run_evidence enable trigger user;
    if to_regclass('ops.erasure') is not null then
        update ops.erasure as held set event_number = numbered.event_number
        from numbered where numbered.place = 'e' || held.erasure_id;
    end if;
    perform setval('ops.event_number', greatest(max(event_number), 1)) from numbered;
end $numbers$;

update ops.ingest_run set last_stage = coalesce((
    select ended.key from jsonb_each_text(stage_ended_at) as ended where ended.key <> 'finished'
    order by ended.value::timestamptz desc limit 1
), 'started');
alter table ops.ingest_run alter column last_stage set default 'started', alter column last_stage set not null;

do $defaults$
declare
    numbered text;
begin
    foreach numbered in array array[
        'ops.manifest', 'ops.ingest_run', 'ops.completed_load', 'ops.ingest_state_change', 'ops.run_evidence',
        'ops.proof', 'ops.erasure', 'release.data_release', 'release.expiry'
    ] loop
        if to_regclass(numbered) is not null then
            execute 'alter table ' || numbered || ' alter column event_number set default nextval(''ops.event_number''),'
                ' alter column event_number set not null';
        end if;
    end loop;
end $defaults$;
