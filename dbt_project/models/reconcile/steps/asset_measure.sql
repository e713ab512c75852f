{{ config(
    materialized='incremental',
    pre_hook=["{{ set_reconcile_session() }}", "{{ delete_unproved('asset_id', ref('scope_asset')) }}"],
) }}
{%- set scope_asset = ref('scope_asset') %}

with

lines as (

    {{ rows_to_prove(source('bronze', 'asset_line'), 'asset_id', scope_asset) }}

),

visible_loads as (

    {{ loads_of_lines() }}

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
