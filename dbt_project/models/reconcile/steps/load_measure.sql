{#- The rows of changed loads, once more as they are now. -#}
{%- set changed_loads = 'array(select changed_load.load_id from changed_load)' -%}
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

    select * from {{ source('ops', 'load_content') }}
    {%- if is_incremental() %}
    where load_id = any({{ changed_loads }})
    {%- endif %}

),

events as (

    select * from {{ source('bronze', 'record_event') }}
    {%- if is_incremental() %}
    where _dlt_load_id = any({{ changed_loads }})
    {%- endif %}

),

rejects as (

    select * from {{ source('bronze', 'rejected_record') }}
    {%- if is_incremental() %}
    where _dlt_load_id = any({{ changed_loads }})
    {%- endif %}

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
    left join named_runs
        on
            load_content.load_id = named_runs.load_id
            and load_content.table_name = named_runs.table_name

)

select * from final
