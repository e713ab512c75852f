{{ config(
    materialized='incremental',
    pre_hook=["{{ set_reconcile_session() }}", "{{ delete_unproved('asset_id', ref('scope_asset')) }}"],
) }}
{%- set scope_asset = ref('scope_asset') %}

with

rejects as (

    {{ rows_to_prove(source('bronze', 'rejected_record'), 'asset_id', scope_asset) }}

),

lines as (

    {{ rows_to_prove(source('bronze', 'asset_line'), 'asset_id', scope_asset, is_fenced=true) }}

),

visible_loads as (

    select distinct
        load_id,
        table_name
    from {{ source('ops', 'completed_load') }}

),

-- A line is rejected where line_fate says so: not blank, and with a reject row under the ruleset that counts.
-- Doubled rows must not count a line twice.
reasons as (

    select distinct
        lines.partition_key,
        lines.asset_id,
        lines.line_number,
        reason.reason_code
    from rejects
    inner join {{ source('ops', 'asset_reading') }} as asset_readings
        on {{ equal_in('rejects', 'asset_readings', ['asset_id', 'ruleset_id']) }}
    inner join visible_loads as reject_loads
        on {{ is_loaded_by('rejects', 'reject_loads', 'rejected_record') }}
    inner join lines on {{ equal_in('rejects', 'lines', ['asset_id', 'line_number', 'ruleset_id']) }}
    inner join visible_loads as line_loads
        on {{ is_loaded_by('lines', 'line_loads', 'asset_line') }}
    cross join lateral unnest(rejects.reason_codes) as reason (reason_code)
    where lines.kind <> 'blank'

),

counted as (

    select
        asset_id,
        partition_key,
        reason_code,
        count(*) as line_count
    from reasons
    group by asset_id, partition_key, reason_code

)

select * from counted
