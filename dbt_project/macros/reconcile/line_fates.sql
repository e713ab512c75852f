{#- The query behind line_fate: each line's one fate. `scope_asset`: a relation with a column asset_id; only the lines of
    these assets then. -#}
{% macro line_fates(scope_asset=none) -%}
with

lines as (

    {{ rows_to_prove(source('bronze', 'asset_line'), 'asset_id', scope_asset) }}

),

events as (

    select
        event_id,
        asset_id,
        line_number,
        partition_key,
        run_id,
        _dlt_load_id
    from {{ source('bronze', 'record_event') }}
    {%- if scope_asset is not none %}
    where event_id = any(array(select lines.event_id from lines))
    {%- endif %}

),

rejects as (

    {{ rows_to_prove(source('bronze', 'rejected_record'), 'asset_id', scope_asset) }}

),

-- A key that was doubled past its constraint must not multiply lines: joined sides are made unique first.
visible_loads as (

    select distinct
        load_id,
        table_name
    from {{ source('ops', 'completed_load') }}

),

visible_lines as (

    select lines.*
    from lines
    inner join {{ source('ops', 'asset_reading') }} as asset_readings
        on {{ equal_in('lines', 'asset_readings', ['asset_id', 'ruleset_id']) }}
    inner join visible_loads on {{ is_loaded_by('lines', 'visible_loads', 'asset_line') }}

),

visible_events as (

    select distinct on (events.event_id)
        events.event_id,
        events.asset_id,
        events.line_number,
        events.partition_key,
        events.run_id
    from events
    inner join visible_loads on {{ is_loaded_by('events', 'visible_loads', 'record_event') }}
    order by events.event_id, events.asset_id, events.line_number

),

visible_rejects as (

    select distinct
        rejects.asset_id,
        rejects.line_number,
        rejects.ruleset_id
    from rejects
    inner join visible_loads on {{ is_loaded_by('rejects', 'visible_loads', 'rejected_record') }}

),

taken as (

    select distinct
        asset_id,
        ruleset_id,
        partition_key
    from {{ source('ops', 'asset_partition') }}
    where taken_by_run_id is not null

),

fates as (

    select
        visible_lines.asset_id,
        visible_lines.line_number,
        visible_lines.ruleset_id,
        visible_lines.kind,
        visible_lines.event_id,
        visible_lines.partition_key,
        case
            -- A tombstone explains a line that holds nothing any more, and no other: blank, or of more than the
            -- 10 MiB beyond which a line is rejected whatever it holds.
            when
                erased_lines.asset_id is not null
                and (visible_lines.kind = 'blank' or visible_lines.byte_length > 10485760)
                then 'erased'
            when visible_lines.kind = 'blank' then 'blank'
            when visible_rejects.asset_id is not null then 'rejected'
            when
                visible_events.asset_id = visible_lines.asset_id
                and visible_events.line_number = visible_lines.line_number
                then 'landed'
            when visible_events.event_id is not null then 'duplicate'
            when visible_lines.kind = 'record' and taken.asset_id is null then 'out_of_partition'
            else 'gap'
        end as fate,
        visible_events.run_id as landed_by_run_id,
        visible_events.partition_key <> visible_lines.partition_key as is_misdated
    from visible_lines
    left join visible_rejects
        on {{ equal_in('visible_lines', 'visible_rejects', ['asset_id', 'line_number', 'ruleset_id']) }}
    left join visible_events on visible_lines.event_id = visible_events.event_id
    left join {{ source('ops', 'erased_line') }} as erased_lines
        on {{ equal_in('visible_lines', 'erased_lines', ['asset_id', 'line_number']) }}
    left join taken on {{ equal_in('visible_lines', 'taken', ['asset_id', 'ruleset_id', 'partition_key']) }}

)

select * from fates
{%- endmacro %}
