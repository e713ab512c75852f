{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Loads: what the tables hold against ops.completed_load, bronze._dlt_loads and the runs that list them. -#}

with

loads as (select * from {{ ref('reconcile_load') }}),

completed_loads as (select * from {{ source('ops', 'completed_load') }}),

ingest_runs as (select * from {{ source('ops', 'ingest_run') }}),

listed as (

    select
        ingest_runs.run_id,
        ingest_runs.attempt,
        listed_load.load_id
    from ingest_runs
    cross join lateral unnest(ingest_runs.dlt_load_ids) as listed_load (load_id)

),

-- A load completes with all three tables at once, empty ones included.
expected as (

    select
        known_load.load_id,
        bronze_table.table_name
    from (
        select load_id from completed_loads
        union
        select load_id from listed
    ) as known_load
    cross join (values ('record_event'), ('asset_line'), ('rejected_record')) as bronze_table (table_name)

),

missing as (

    select
        expected.load_id,
        expected.table_name
    from expected
    left join completed_loads on {{ equal_in('expected', 'completed_loads', ['load_id', 'table_name']) }}
    where completed_loads.load_id is null

),

-- Of which kind the rows of a load are, where there are any that say it; else its run.
told_kinds as (

    select
        loads.load_id,
        coalesce(min(loads.first_record_kind), min(ingest_runs.record_kind)) as first_record_kind,
        coalesce(max(loads.last_record_kind), min(ingest_runs.record_kind)) as last_record_kind,
        bool_and(loads.is_intact) filter (where loads.table_name = 'record_event') as are_events_intact
    from loads
    left join ingest_runs on loads.run_id = ingest_runs.run_id
    group by loads.load_id

),

found as (

    select
        {{ finding(
            'completed_load_missing', 'no_trace', "'ops.completed_load'",
            "'load ' || missing.load_id || ', table ' || missing.table_name || ': got no row, expected one; '
            || coalesce(loads.row_count, 0) || ' rows of it are in the table'",
            load_id='missing.load_id'
        ) }}
    from missing
    left join loads on {{ equal_in('missing', 'loads', ['load_id', 'table_name']) }}
    union all
    select
        {{ finding(
            'rows_never_completed', 'no_trace', "'bronze.' || loads.table_name",
            "'load ' || loads.load_id || ' holds rows, but no run ever completed or listed it'",
            load_id='loads.load_id', finding_count='loads.row_count'
        ) }}
    from loads
    where
        loads.completed_copy_count = 0
        and not loads.is_in_progress
        and not exists (
            select 1
            from expected
            where expected.load_id = loads.load_id
        )
    union all
    select
        {{ finding(
            'completed_load_doubled', 'duplicate', "'ops.completed_load'",
            "'load ' || loads.load_id || ', table ' || loads.table_name || ': got '
            || loads.completed_copy_count || ' rows, expected 1'",
            load_id='loads.load_id', run_id='loads.run_id'
        ) }}
    from loads
    where loads.completed_copy_count > 1
    union all
    select
        {{ finding(
            'content_differs_from_completed_load', 'drift', "'bronze.' || loads.table_name",
            "'load ' || loads.load_id || ': got ' || loads.row_count || ' rows, digest ' || loads.row_digest
            || '; ops.completed_load says ' || loads.completed_row_count || ', ' || loads.completed_row_digest",
            load_id='loads.load_id', run_id='loads.run_id',
            finding_count='greatest(abs(loads.row_count - loads.completed_row_count), 1)',
            extent="case when loads.row_count <> loads.completed_row_count"
            ~ " and loads.row_digest <> loads.completed_row_digest then 'lost' else 'sum' end"
        ) }}
    from loads
    where
        loads.completed_copy_count > 0
        and (loads.row_count, loads.row_digest) <> (loads.completed_row_count, loads.completed_row_digest)
    union all
    select
        {{ finding(
            'dlt_load_differs', 'drift', "'bronze._dlt_loads'",
            "'load ' || loads.load_id || ': got ' || min(loads.dlt_load_count) || ' rows, ' || min(loads.dlt_ok_count)
            || ' with status 0, expected one with status 0'",
            load_id='loads.load_id',
            run_id='(array_agg(loads.run_id))[1]'
        ) }}
    from loads
    where loads.completed_copy_count > 0 and not (loads.dlt_load_count = 1 and loads.dlt_ok_count = 1)
    group by loads.load_id
    union all
    select
        {{ finding(
            'rows_carry_another_run', 'drift', "case when listed.run_id is null then 'bronze.' || loads.table_name else 'ops.completed_load' end",
            "'load ' || loads.load_id || ', table ' || loads.table_name || ': its rows carry run ' || loads.first_run_id
            || ', ops.completed_load says ' || loads.run_id",
            load_id='loads.load_id', run_id='loads.run_id', finding_count='loads.row_count'
        ) }}
    from loads
    left join listed
        on
            loads.load_id = listed.load_id
            and loads.first_run_id = listed.run_id::text
    where
        loads.completed_copy_count > 0
        and loads.first_run_id = loads.last_run_id
        and loads.first_run_id <> loads.run_id::text
    union all
    select
        {{ finding(
            'load_of_another_kind', 'drift',
            "case when told_kinds.are_events_intact then 'ops.completed_load' else 'bronze.record_event' end",
            "'load ' || loads.load_id || ', table ' || loads.table_name || ': got ' || loads.record_kind
            || ', its rows are ' || told_kinds.first_record_kind || ' to ' || told_kinds.last_record_kind",
            load_id='loads.load_id', run_id='loads.run_id', finding_count='loads.row_count'
        ) }}
    from loads
    inner join told_kinds on loads.load_id = told_kinds.load_id
    where
        loads.completed_copy_count > 0
        and (
            told_kinds.first_record_kind <> loads.record_kind
            or told_kinds.last_record_kind <> loads.record_kind
        )
        -- Rows under another kind say nothing of the load's other tables.
        and (loads.table_name = 'record_event' or told_kinds.are_events_intact)
    union all
    select
        {{ finding(
            'load_listed_by_another_attempt', 'drift', "'ops.completed_load'",
            "'load ' || completed_loads.load_id || ', table ' || completed_loads.table_name || ': got run '
            || completed_loads.run_id || ' attempt ' || completed_loads.attempt || '; listed by run '
            || listed.run_id || ' attempt ' || listed.attempt",
            load_id='completed_loads.load_id', run_id='completed_loads.run_id'
        ) }}
    from completed_loads
    inner join listed on completed_loads.load_id = listed.load_id
    where
        (completed_loads.run_id, completed_loads.attempt) <> (listed.run_id, listed.attempt)
        and not exists (
            select 1
            from listed as lister
            where
                lister.load_id = completed_loads.load_id
                and lister.run_id = completed_loads.run_id
                and lister.attempt = completed_loads.attempt
        )
    union all
    select
        {{ finding(
            'load_not_listed', 'no_trace', "'ops.ingest_run'",
            "'dlt_load_ids of attempt ' || ingest_runs.attempt || ' lack load ' || completed_loads.load_id
            || ', which it completed'",
            load_id='completed_loads.load_id', run_id='ingest_runs.run_id'
        ) }}
    from completed_loads
    inner join ingest_runs on {{ equal_in('completed_loads', 'ingest_runs', ['run_id', 'attempt']) }}
    left join listed on completed_loads.load_id = listed.load_id
    where listed.load_id is null and completed_loads.table_name = 'record_event'
    union all
    select
        {{ finding(
            'load_listed_twice', 'duplicate', "'ops.ingest_run'",
            "'load ' || listed.load_id || ': got ' || count(*) || ' listings in dlt_load_ids, expected 1'",
            load_id='listed.load_id', run_id='(array_agg(listed.run_id))[1]'
        ) }}
    from listed
    group by listed.load_id
    having count(*) > 1

)

select * from found
