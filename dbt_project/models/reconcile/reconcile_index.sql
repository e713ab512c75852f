with

visible_loads as (

    {{ loads_of_lines() }}

),

indexed as (

    select
        asset_id,
        ruleset_id,
        count(*) as index_copy_count,
        min(line_count) as declared_line_count,
        min(indexed_line_count) as declared_indexed_line_count,
        bool_and(is_complete) as is_complete,
        (array_agg(run_id order by attempt, run_id))[1] as run_id,
        min(attempt) as attempt
    from {{ source('ops', 'asset_index') }}
    group by asset_id, ruleset_id

),

-- Where all lines of an asset are gone, no row is left to say which load held them.
all_loads as (

    select coalesce(bool_and(is_intact), true) as is_intact
    from visible_loads

),

contents as (

    select
        asset_id,
        min(content_bytes) as content_bytes,
        min(content_encoding) as content_encoding
    from {{ source('ops', 'source_asset') }}
    group by asset_id

),

joined as (

    select
        coalesce(indexed.asset_id, counted.asset_id) as asset_id,
        coalesce(indexed.ruleset_id, counted.ruleset_id) as ruleset_id,
        coalesce(indexed.index_copy_count, 0) as index_copy_count,
        indexed.declared_line_count,
        indexed.declared_indexed_line_count,
        indexed.is_complete,
        indexed.run_id,
        indexed.attempt,
        {{ or_zero('counted', [
            'line_count', 'record_line_count', 'rejected_line_count', 'blank_line_count', 'tiled_bytes',
            'end_offset'
        ]) }},
        coalesce(counted.is_load_intact, all_loads.is_intact) as is_load_intact,
        coalesce(counted.misplaced_line_count, 0) as misplaced_line_count,
        counted.first_misplaced_line_number
    from indexed
    full join {{ ref('asset_measure') }} as counted
        on {{ equal_in('indexed', 'counted', ['asset_id', 'ruleset_id']) }}
    cross join all_loads

),

judged as (

    select
        joined.asset_id,
        joined.ruleset_id,
        joined.index_copy_count,
        joined.declared_line_count,
        joined.declared_indexed_line_count,
        joined.is_complete,
        joined.run_id,
        joined.attempt,
        joined.line_count,
        joined.record_line_count,
        joined.rejected_line_count,
        joined.blank_line_count,
        joined.tiled_bytes,
        joined.end_offset,
        joined.misplaced_line_count,
        joined.first_misplaced_line_number,
        joined.is_load_intact,
        contents.content_bytes,
        contents.content_encoding,
        joined.misplaced_line_count = 0
        and joined.tiled_bytes = joined.end_offset
        and case
            when joined.is_complete then joined.end_offset = contents.content_bytes
            else joined.end_offset <= contents.content_bytes
        end as is_tiled
    from joined
    left join contents on joined.asset_id = contents.asset_id

)

select * from judged
