{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Rejects: each rejected line has exactly one reject row, whose bytes are those of the line. -#}
{%- set scope_asset = ref('scope_asset') %}

with

lines as (

    {{ rows_to_prove(source('bronze', 'asset_line'), 'asset_id', scope_asset, is_fenced=true) }}

),

rejects as (

    {{ rows_to_prove(source('bronze', 'rejected_record'), 'asset_id', scope_asset) }}

),

visible_loads as (

    select
        completed_loads.load_id,
        completed_loads.table_name,
        (
            array_agg(completed_loads.run_id order by completed_loads.attempt, completed_loads.run_id)
        )[1] as run_id,
        coalesce(bool_and(loads.is_intact), false) as is_intact,
        coalesce(bool_or(loads.first_run_id <> loads.last_run_id), false) as has_several_runs
    from {{ source('ops', 'completed_load') }} as completed_loads
    left join {{ ref('reconcile_load') }} as loads
        on {{ equal_in('completed_loads', 'loads', ['load_id', 'table_name']) }}
    group by completed_loads.load_id, completed_loads.table_name

),

damaged as (

    select
        coalesce(bool_or(table_name = 'asset_line'), false) as are_lines_damaged,
        coalesce(bool_or(table_name = 'rejected_record'), false) as are_rejects_damaged
    from visible_loads
    where not is_intact

),

visible_lines as (

    select
        lines.asset_id,
        lines.line_number,
        lines.ruleset_id,
        lines.kind,
        lines.byte_length,
        lines.partition_key
    from lines
    inner join visible_loads on {{ is_loaded_by('lines', 'visible_loads', 'asset_line') }}

),

visible_rejects as (

    select
        rejects.asset_id,
        rejects.line_number,
        rejects.ruleset_id,
        count(*) as copy_count,
        min(rejects.partition_key) as partition_key,
        max(octet_length(rejects.raw_line)) as raw_line_bytes,
        bool_and(
            octet_length(rejects.raw_line) <= 65536
            and (octet_length(rejects.raw_line) = 65536 or sha256(rejects.raw_line) = rejects.raw_line_sha256)
            and octet_length(rejects.raw_line_sha256) = 32
        ) as is_raw_line_authentic,
        min(rejects.run_id::text) filter (
            where visible_loads.has_several_runs and rejects.run_id <> visible_loads.run_id
        ) as foreign_run_id
    from rejects
    inner join visible_loads on {{ is_loaded_by('rejects', 'visible_loads', 'rejected_record') }}
    group by rejects.asset_id, rejects.line_number, rejects.ruleset_id

),

rejected_lines as (

    select * from visible_lines
    where kind = 'rejected'

),

-- A reject is looked up among all lines, so that a line whose kind was edited is found as well.
lines_of_rejects as (

    select visible_lines.*
    from visible_lines
    inner join visible_rejects
        on {{ equal_in('visible_lines', 'visible_rejects', ['asset_id', 'line_number', 'ruleset_id']) }}

),

paired as (

    select
        coalesce(known_line.asset_id, visible_rejects.asset_id) as asset_id,
        coalesce(known_line.line_number, visible_rejects.line_number) as line_number,
        coalesce(known_line.ruleset_id, visible_rejects.ruleset_id) as ruleset_id,
        known_line.kind,
        known_line.byte_length,
        known_line.partition_key as line_partition_key,
        coalesce(visible_rejects.copy_count, 0) as copy_count,
        visible_rejects.partition_key as reject_partition_key,
        visible_rejects.raw_line_bytes,
        visible_rejects.is_raw_line_authentic,
        visible_rejects.foreign_run_id
    from (
        select * from rejected_lines
        union
        select * from lines_of_rejects
    ) as known_line
    full join visible_rejects
        on {{ equal_in('known_line', 'visible_rejects', ['asset_id', 'line_number', 'ruleset_id']) }}

),

-- Which of the two tables was touched: the one whose loads no longer hold what they were completed with.
blamed as (

    select
        paired.*,
        case
            when damaged.are_lines_damaged and not damaged.are_rejects_damaged then 'bronze.asset_line'
            else 'bronze.rejected_record'
        end as blamed_table
    from paired
    cross join damaged

),

found as (

    select
        {{ finding(
            'reject_missing', 'gap', 'blamed_table',
            "'line ' || line_number || ', ruleset ' || ruleset_id || ': rejected, but without a reject row'",
            partition_key='line_partition_key', asset_id='asset_id'
        ) }}
    from blamed
    where kind = 'rejected' and copy_count = 0
    union all
    select
        {{ finding(
            'reject_without_rejected_line', 'no_trace', 'blamed_table',
            "'line ' || line_number || ', ruleset ' || ruleset_id || ': has a reject row, but is '
            || coalesce('of kind ' || kind, 'absent')",
            partition_key='coalesce(reject_partition_key, line_partition_key)', asset_id='asset_id'
        ) }}
    from blamed
    where copy_count > 0 and kind is distinct from 'rejected'
    union all
    select
        {{ finding(
            'reject_doubled', 'duplicate', "'bronze.rejected_record'",
            "'line ' || line_number || ', ruleset ' || ruleset_id || ': got ' || copy_count || ' rows, expected 1'",
            partition_key='reject_partition_key', asset_id='asset_id'
        ) }}
    from blamed
    where copy_count > 1
    union all
    select
        {{ finding(
            'reject_partition_differs', 'drift', 'blamed_table',
            "'line ' || line_number || ', ruleset ' || ruleset_id || ': the line says '
            || coalesce(line_partition_key::text, 'unassigned') || ', its reject row '
            || coalesce(reject_partition_key::text, 'unassigned')",
            partition_key='line_partition_key', asset_id='asset_id'
        ) }}
    from blamed
    where kind = 'rejected' and copy_count > 0 and line_partition_key is distinct from reject_partition_key
    union all
    select
        {{ finding(
            'raw_line_differs', 'drift', "'bronze.rejected_record'",
            "'line ' || line_number || ', ruleset ' || ruleset_id || ': sha256(raw_line) is not raw_line_sha256'",
            partition_key='reject_partition_key', asset_id='asset_id'
        ) }}
    from blamed
    where not is_raw_line_authentic
    union all
    -- A line is its body and at most two bytes of terminator. A file that is a record has its record kept.
    select
        {{ finding(
            'raw_line_length_differs', 'drift', 'blamed_table',
            "'line ' || line_number || ', ruleset ' || ruleset_id || ': the line has ' || byte_length
            || ' bytes with its terminator, raw_line ' || raw_line_bytes",
            partition_key='reject_partition_key', asset_id='asset_id'
        ) }}
    from blamed
    where
        copy_count = 1
        and byte_length - least(raw_line_bytes, 65536) not between 0 and 2
        and not (raw_line_bytes = 65536 and byte_length > 65536)
        and not exists (
            select from {{ source('ops', 'source_asset') }} as source_assets
            where
                source_assets.asset_id = blamed.asset_id
                and source_assets.record_kind = any({{ array_of(file_kinds()) }})
        )
    union all
    select
        {{ finding(
            'run_differs_from_load', 'drift', "'bronze.rejected_record'",
            "'line ' || line_number || ', ruleset ' || ruleset_id || ': got run ' || foreign_run_id
            || ', its load was completed by another'",
            partition_key='reject_partition_key', asset_id='asset_id'
        ) }}
    from blamed
    where foreign_run_id is not null

)

select * from found
