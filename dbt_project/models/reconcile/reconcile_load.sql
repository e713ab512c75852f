{{ config(pre_hook=["{{ set_reconcile_session() }}", "{{ create_reconcile_functions() }}"]) }}

{#- Selected by ticket_fact+, and built after it. -#}
{%- do ref('ticket_fact') -%}

with

completed_loads as (

    select * from {{ source('ops', 'completed_load') }}

),

load_content as (

    select * from {{ source('ops', 'load_content') }}

),

dlt_loads as (

    select * from {{ source('bronze', '_dlt_loads') }}

),

events as (

    select * from {{ source('bronze', 'raw_ticket_event') }}

),

lines as (

    select * from {{ source('bronze', 'asset_line') }}

),

rejects as (

    select * from {{ source('bronze', 'rejected_record') }}

),

ingest_runs as (

    select * from {{ source('ops', 'ingest_run') }}

),

-- Rows of loads that never completed are no damage while a run may still complete them.
landing_runs as (

    select count(*) as run_count
    from ingest_runs
    where status = 'running' and stage in ('started', 'gated', 'archived')

),

completed as (

    select
        load_id,
        table_name,
        (array_agg(run_id order by attempt, run_id))[1] as run_id,
        min(attempt) as attempt,
        count(*) as completed_copy_count,
        min(row_count) as completed_row_count,
        min(row_digest) as completed_row_digest
    from completed_loads
    group by load_id, table_name

),

held as (

    select
        _dlt_load_id as load_id,
        'raw_ticket_event' as table_name,
        min(asset_id) as first_asset_id,
        max(asset_id) as last_asset_id,
        min(partition_key) as first_partition_key,
        max(partition_key) as last_partition_key,
        min(run_id::text) as first_run_id,
        max(run_id::text) as last_run_id
    from events
    group by _dlt_load_id
    union all
    select
        _dlt_load_id as load_id,
        'asset_line' as table_name,
        min(asset_id) as first_asset_id,
        max(asset_id) as last_asset_id,
        min(partition_key) as first_partition_key,
        max(partition_key) as last_partition_key,
        null as first_run_id,
        null as last_run_id
    from lines
    group by _dlt_load_id
    union all
    select
        _dlt_load_id as load_id,
        'rejected_record' as table_name,
        min(asset_id) as first_asset_id,
        max(asset_id) as last_asset_id,
        min(partition_key) as first_partition_key,
        max(partition_key) as last_partition_key,
        min(run_id::text) as first_run_id,
        max(run_id::text) as last_run_id
    from rejects
    group by _dlt_load_id

),

content as (

    select
        load_content.load_id,
        load_content.table_name,
        load_content.row_count,
        load_content.row_digest,
        held.first_asset_id,
        held.last_asset_id,
        held.first_partition_key,
        held.last_partition_key,
        held.first_run_id,
        held.last_run_id
    from load_content
    inner join held
        on
            load_content.load_id = held.load_id
            and load_content.table_name = held.table_name

),

dlt_status as (

    select
        load_id,
        count(*) as dlt_load_count,
        count(*) filter (where status = 0) as dlt_ok_count
    from dlt_loads
    group by load_id

),

joined as (

    select
        coalesce(completed.load_id, content.load_id) as load_id,
        coalesce(completed.table_name, content.table_name) as table_name,
        completed.run_id,
        completed.attempt,
        coalesce(completed.completed_copy_count, 0) as completed_copy_count,
        completed.completed_row_count,
        completed.completed_row_digest,
        coalesce(content.row_count, 0) as row_count,
        coalesce(content.row_digest, 0) as row_digest,
        content.first_asset_id,
        content.last_asset_id,
        content.first_partition_key,
        content.last_partition_key,
        content.first_run_id,
        content.last_run_id
    from completed
    full join content
        on
            completed.load_id = content.load_id
            and completed.table_name = content.table_name

),

judged as (

    select
        joined.load_id,
        joined.table_name,
        joined.run_id,
        joined.attempt,
        joined.completed_copy_count,
        joined.completed_row_count,
        joined.completed_row_digest,
        joined.row_count,
        joined.row_digest,
        joined.first_asset_id,
        joined.last_asset_id,
        joined.first_partition_key,
        joined.last_partition_key,
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
