{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Lines: do they tile their asset, and do asset_index and asset_partition say what the lines say? -#}
{%- set scope_asset = ref('scope_asset') %}

with

indexes as (select * from {{ ref('reconcile_index') }}),

lines as (

    {{ rows_to_prove(source('bronze', 'asset_line'), 'asset_id', scope_asset, is_fenced=true) }}

),

asset_partitions as (

    select * from {{ source('ops', 'asset_partition') }}
    {%- if is_proving_changes() %}
    where asset_id in (select scope_asset.asset_id from {{ scope_asset }} as scope_asset)
    {%- endif %}

),

visible_loads as (

    select distinct load_id
    from {{ source('ops', 'completed_load') }}
    where table_name = 'asset_line'

),

counted_partitions as (

    select
        lines.asset_id,
        lines.ruleset_id,
        lines.partition_key,
        count(*) filter (where lines.kind = 'record') as record_line_count,
        count(*) filter (where lines.kind = 'rejected') as rejected_line_count
    from lines
    inner join visible_loads on lines._dlt_load_id = visible_loads.load_id
    where lines.partition_key is not null
    group by lines.asset_id, lines.ruleset_id, lines.partition_key

),

declared_partitions as (

    select
        asset_id,
        ruleset_id,
        partition_key,
        count(*) as copy_count,
        min(record_line_count) as record_line_count,
        min(rejected_line_count) as rejected_line_count
    from asset_partitions
    group by asset_id, ruleset_id, partition_key

),

partitions as (

    select
        coalesce(counted.asset_id, declared.asset_id) as asset_id,
        coalesce(counted.ruleset_id, declared.ruleset_id) as ruleset_id,
        coalesce(counted.partition_key, declared.partition_key) as partition_key,
        coalesce(declared.copy_count, 0) as copy_count,
        declared.record_line_count as declared_record_line_count,
        declared.rejected_line_count as declared_rejected_line_count,
        coalesce(counted.record_line_count, 0) as record_line_count,
        coalesce(counted.rejected_line_count, 0) as rejected_line_count
    from counted_partitions as counted
    full join declared_partitions as declared
        on {{ equal_in('counted', 'declared', ['asset_id', 'ruleset_id', 'partition_key']) }}

),

run_limits as (

    select
        run_id,
        bool_or(line_limit is not null) as is_limited
    from {{ source('ops', 'ingest_run') }}
    group by run_id

),

-- Where the lines end before or after the content although nothing else is wrong with them, either the reader
-- lost the last lines or content_bytes was edited. A plain file decides: its size is its content.
ends as (

    select
        indexes.asset_id,
        indexes.ruleset_id,
        indexes.end_offset,
        indexes.content_bytes,
        indexes.is_load_intact,
        bool_or(
            source_assets.content_encoding = 'identity'
            and source_assets.size_bytes <> source_assets.content_bytes
        ) as is_size_contradicted,
        bool_or(source_assets.content_encoding = 'gzip') as is_compressed
    from indexes
    inner join {{ source('ops', 'source_asset') }} as source_assets
        on indexes.asset_id = source_assets.asset_id
    where
        indexes.misplaced_line_count = 0
        and not indexes.is_tiled
    group by
        indexes.asset_id,
        indexes.ruleset_id,
        indexes.end_offset,
        indexes.content_bytes,
        indexes.is_load_intact

),

found as (

    -- Of the days that lines are read for, and promised, under that ruleset.
    select
        {{ finding(
            'asset_index_missing', 'gap', "'ops.asset_index'",
            "'ruleset ' || indexes.ruleset_id || ': got no row for ' || indexes.line_count || ' lines'",
            partition_key='partitions.partition_key', asset_id='indexes.asset_id'
        ) }}
    from indexes
    left join partitions on {{ equal_in('indexes', 'partitions', ['asset_id', 'ruleset_id']) }}
    where indexes.index_copy_count = 0
    union all
    select
        {{ finding(
            'asset_index_doubled', 'duplicate', "'ops.asset_index'",
            "'ruleset ' || ruleset_id || ': got ' || index_copy_count || ' rows, expected 1'", asset_id='asset_id'
        ) }}
    from indexes
    where index_copy_count > 1
    union all
    select
        {{ finding(
            'lines_do_not_tile', 'gap', "'bronze.asset_line'",
            "'ruleset ' || ruleset_id || ': line ' || first_misplaced_line_number
            || ' does not follow the line before it (absent, doubled or edited)'",
            asset_id='asset_id', finding_count='misplaced_line_count',
            extent="case when tiled_bytes < end_offset or line_count <> declared_indexed_line_count"
            ~ " then 'lost' else 'sum' end"
        ) }}
    from indexes
    where misplaced_line_count > 0
    union all
    select
        {{ finding(
            'lines_do_not_end_with_content', 'gap',
            "case when is_size_contradicted and is_load_intact then 'ops.source_asset' else 'bronze.asset_line' end",
            "'ruleset ' || ruleset_id || ': lines end at byte ' || end_offset || ', the content at '
            || coalesce(content_bytes::text, 'unknown')",
            asset_id='asset_id',
            extent="case when is_size_contradicted and is_load_intact then 'row'"
            ~ " when end_offset > content_bytes then 'sum' else 'lost' end"
        ) }}
    from ends
    union all
    select
        {{ finding(
            'content_bytes_differ_from_lines', 'gap', "'ops.source_asset'",
            "'ruleset ' || ruleset_id || ': lines end at byte ' || end_offset || ', content_bytes says ' || content_bytes",
            asset_id='asset_id'
        ) }}
    from ends
    where is_compressed and is_load_intact
    union all
    select
        {{ finding(
            'line_count_differs', 'gap',
            "case when misplaced_line_count = 0 and is_load_intact then 'ops.asset_index' else 'bronze.asset_line' end",
            "'ruleset ' || ruleset_id || ': got ' || line_count || ' lines, asset_index says '
            || declared_indexed_line_count || ' indexed of ' || declared_line_count",
            asset_id='asset_id', finding_count='greatest(abs(line_count - declared_indexed_line_count), 1)',
            extent="case when misplaced_line_count = 0 and is_load_intact then 'row' else 'lost' end"
        ) }}
    from indexes
    where index_copy_count > 0 and line_count <> declared_indexed_line_count
    union all
    select
        {{ finding(
            'index_incomplete_without_limit', 'gap', "'ops.asset_index'",
            "'ruleset ' || indexes.ruleset_id || ': ' || indexes.declared_indexed_line_count || ' of '
            || indexes.declared_line_count || ' lines indexed, by a run without a line limit'",
            asset_id='indexes.asset_id', run_id='indexes.run_id'
        ) }}
    from indexes
    inner join run_limits on indexes.run_id = run_limits.run_id
    where not indexes.is_complete and not run_limits.is_limited
    union all
    select
        {{ finding(
            'index_incomplete_at_the_end', 'gap', "'ops.asset_index'",
            "'ruleset ' || ruleset_id || ': the lines reach the end of the content, yet ' || declared_line_count
            || ' lines are said to exist and ' || declared_indexed_line_count || ' are indexed'",
            asset_id='asset_id'
        ) }}
    from indexes
    where not is_complete and end_offset = content_bytes
    union all
    select
        {{ finding(
            'partition_counts_differ', 'drift',
            "case when indexes.is_load_intact and indexes.misplaced_line_count = 0 then 'ops.asset_partition'"
            ~ " else 'bronze.asset_line' end",
            "'ruleset ' || partitions.ruleset_id || ': lines give ' || partitions.record_line_count || ' records and '
            || partitions.rejected_line_count || ' rejects; asset_partition says '
            || coalesce(partitions.declared_record_line_count::text, 'nothing') || ' and '
            || coalesce(partitions.declared_rejected_line_count::text, 'nothing')",
            partition_key='partitions.partition_key', asset_id='partitions.asset_id'
        ) }}
    from partitions
    left join indexes on {{ equal_in('partitions', 'indexes', ['asset_id', 'ruleset_id']) }}
    where
        partitions.record_line_count is distinct from partitions.declared_record_line_count
        or partitions.rejected_line_count is distinct from partitions.declared_rejected_line_count
    union all
    select
        {{ finding(
            'partition_doubled', 'duplicate', "'ops.asset_partition'",
            "'ruleset ' || ruleset_id || ': got ' || copy_count || ' rows, expected 1'",
            partition_key='partition_key', asset_id='asset_id'
        ) }}
    from partitions
    where copy_count > 1

)

select * from found
