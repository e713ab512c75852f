{{
    config(
        materialized='incremental',
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ delete_unproved('asset_id', ref('scope_asset')) }}",
        ],
    )
}}
{%- set scope_asset = ref('scope_asset') %}

with

lines as (

    select * from {{ source('bronze', 'asset_line') }}
    {%- if is_incremental() %}
    where asset_id = any(array(select scope_asset.asset_id from {{ scope_asset }} as scope_asset))
    {%- endif %}

),

visible_loads as (

    select
        completed_loads.load_id,
        coalesce(bool_and(loads.is_intact), false) as is_intact
    from {{ source('ops', 'completed_load') }} as completed_loads
    left join {{ ref('reconcile_load') }} as loads
        on
            completed_loads.load_id = loads.load_id
            and completed_loads.table_name = loads.table_name
    where completed_loads.table_name = 'asset_line'
    group by completed_loads.load_id

),

-- Where each line must begin, and which number it must have, follows from the line before it.
placed as (

    select
        lines.asset_id,
        lines.ruleset_id,
        lines.line_number,
        lines.byte_offset,
        lines.byte_length,
        lines.kind,
        visible_loads.is_intact,
        lag(lines.byte_offset + lines.byte_length, 1, 0::bigint) over line_order as expected_offset,
        lag(lines.line_number, 1, 0) over line_order + 1 as expected_line_number
    from lines
    inner join visible_loads on lines._dlt_load_id = visible_loads.load_id
    window line_order as (partition by lines.asset_id, lines.ruleset_id order by lines.line_number)

),

counted as (

    select
        asset_id,
        ruleset_id,
        count(*) as line_count,
        count(*) filter (where kind = 'record') as record_line_count,
        count(*) filter (where kind = 'rejected') as rejected_line_count,
        count(*) filter (where kind = 'blank') as blank_line_count,
        sum(byte_length) as tiled_bytes,
        max(byte_offset + byte_length) as end_offset,
        bool_and(is_intact) as is_load_intact,
        count(*) filter (
            where byte_offset <> expected_offset or line_number <> expected_line_number or byte_length < 1
        ) as misplaced_line_count,
        min(line_number) filter (
            where byte_offset <> expected_offset or line_number <> expected_line_number or byte_length < 1
        ) as first_misplaced_line_number
    from placed
    group by asset_id, ruleset_id

)

select * from counted
