with

-- Rows of loads that never completed are no damage while a run may still complete them.
landing_runs as (

    select count(*) as run_count
    from {{ source('ops', 'ingest_run') }}
    where status = 'running' and stage in ('started', 'gated', 'archived')

),

completed as (

    select
        load_id,
        table_name,
        (array_agg(run_id order by attempt, run_id))[1] as run_id,
        min(attempt) as attempt,
        min(record_kind) as record_kind,
        count(*) as completed_copy_count,
        min(row_count) as completed_row_count,
        min(row_digest) as completed_row_digest
    from {{ source('ops', 'completed_load') }}
    group by load_id, table_name

),

dlt_status as (

    select
        load_id,
        count(*) as dlt_load_count,
        count(*) filter (where status = 0) as dlt_ok_count
    from {{ source('bronze', '_dlt_loads') }}
    group by load_id

),

joined as (

    select
        coalesce(completed.load_id, measured.load_id) as load_id,
        coalesce(completed.table_name, measured.table_name) as table_name,
        completed.run_id,
        completed.attempt,
        coalesce(completed.record_kind, measured.first_record_kind) as record_kind,
        measured.first_record_kind,
        measured.last_record_kind,
        coalesce(completed.completed_copy_count, 0) as completed_copy_count,
        completed.completed_row_count,
        completed.completed_row_digest,
        coalesce(measured.row_count, 0) as row_count,
        coalesce(measured.row_digest, 0) as row_digest,
        measured.first_run_id,
        measured.last_run_id
    from completed
    full join {{ ref('load_measure') }} as measured
        on {{ equal_in('completed', 'measured', ['load_id', 'table_name']) }}

),

judged as (

    select
        joined.load_id,
        joined.table_name,
        joined.run_id,
        joined.attempt,
        joined.record_kind,
        joined.first_record_kind,
        joined.last_record_kind,
        joined.completed_copy_count,
        joined.completed_row_count,
        joined.completed_row_digest,
        joined.row_count,
        joined.row_digest,
        joined.first_run_id,
        joined.last_run_id,
        coalesce(dlt_status.dlt_load_count, 0) as dlt_load_count,
        coalesce(dlt_status.dlt_ok_count, 0) as dlt_ok_count,
        joined.completed_copy_count = 0 and landing_runs.run_count > 0 as is_in_progress,
        joined.completed_copy_count = 1
        and joined.completed_row_count = joined.row_count
        and joined.completed_row_digest = joined.row_digest as is_intact
    from joined
    cross join landing_runs
    left join dlt_status on joined.load_id = dlt_status.load_id

)

select * from judged
