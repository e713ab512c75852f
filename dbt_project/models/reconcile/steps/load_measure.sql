{#- The rows of changed loads, once more as they are now. -#}
{{
    config(
        materialized='incremental',
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ find_changed_loads() }}",
            "{{ delete_unproved('load_id', 'changed_load') }}",
        ],
    )
}}

{#- Found by a hook. -#}
{%- do ref('scope_load') %}

with

load_content as (

    {{ rows_to_prove(source('ops', 'load_content'), 'load_id', 'changed_load') }}

),

events as (

    {{ rows_to_prove(source('bronze', 'record_event'), '_dlt_load_id', 'changed_load', 'load_id') }}

),

rejects as (

    {{ rows_to_prove(source('bronze', 'rejected_record'), '_dlt_load_id', 'changed_load', 'load_id') }}

),

-- A line names no run.
named_runs as (

    select
        _dlt_load_id as load_id,
        'record_event' as table_name,
        min(run_id::text) as first_run_id,
        max(run_id::text) as last_run_id,
        min(record_kind) as first_record_kind,
        max(record_kind) as last_record_kind
    from events
    group by _dlt_load_id
    union all
    select
        _dlt_load_id as load_id,
        'rejected_record' as table_name,
        min(run_id::text) as first_run_id,
        max(run_id::text) as last_run_id,
        null::text as first_record_kind,
        null::text as last_record_kind
    from rejects
    group by _dlt_load_id

),

final as (

    select
        load_content.load_id,
        load_content.table_name,
        load_content.row_count,
        load_content.row_digest,
        named_runs.first_run_id,
        named_runs.last_run_id,
        named_runs.first_record_kind,
        named_runs.last_record_kind
    from load_content
    left join named_runs on {{ equal_in('load_content', 'named_runs', ['load_id', 'table_name']) }}

)

select * from final
