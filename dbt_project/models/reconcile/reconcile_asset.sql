with

latest_indexes as (

    select distinct on (asset_id) *
    from {{ ref('reconcile_index') }}
    order by asset_id asc, is_complete desc, ruleset_id desc

),

contents as (

    select
        asset_id,
        min(record_kind) as record_kind,
        min(source_fingerprint) as source_fingerprint,
        min(content_encoding) as content_encoding,
        min(size_bytes) as size_bytes,
        min(content_bytes) as content_bytes,
        bool_or(record_kind = any({{ array_of(file_kinds()) }})) as is_record
    from {{ source('ops', 'source_asset') }}
    group by asset_id

),

declared as (

    select
        manifest_assets.asset_id,
        min(manifests.contract_ref) as record_kind,
        min(manifest_assets.source_id) as source_id,
        min(manifest_assets.declared_record_count) as declared_record_count,
        count(distinct manifest_assets.declared_record_count) as declared_count_variants
    from {{ source('ops', 'manifest_asset') }} as manifest_assets
    left join {{ source('ops', 'manifest') }} as manifests
        on manifest_assets.manifest_id = manifests.manifest_id
    where manifest_assets.asset_id is not null
    group by manifest_assets.asset_id

),

counted as (

    select
        asset_id,
        sum(line_count) as counted_line_count,
        coalesce(sum(line_count) filter (where kind = 'record'), 0) as record_line_count,
        {{ lines_by_fate([
            'erased', 'blank', 'rejected', 'landed', 'duplicate', 'out_of_partition', 'gap'
        ]) }},
        sum(event_digest) as event_digest
    from {{ ref('reconcile_fate') }}
    group by asset_id

),

partitions as (

    select
        asset_partitions.asset_id,
        min(asset_partitions.partition_key) as first_partition,
        count(*) as partition_count,
        count(asset_partitions.taken_by_run_id) as taken_partition_count
    from {{ source('ops', 'asset_partition') }} as asset_partitions
    inner join latest_indexes
        on {{ equal_in('asset_partitions', 'latest_indexes', ['asset_id', 'ruleset_id']) }}
    group by asset_partitions.asset_id

),

-- Whatever names an asset: a row that is gone from one table must not take the asset out of the proof.
known_assets as (

    select asset_id from contents
    union
    select asset_id from declared
    union
    select asset_id from latest_indexes

),

measured as (

    select
        -- Where a table lost it, the next one says it.
        coalesce(contents.record_kind, declared.record_kind, rulesets.contract_ref, 'unknown') as record_kind,
        known_assets.asset_id,
        contents.source_fingerprint,
        declared.source_id,
        latest_indexes.ruleset_id,
        contents.content_encoding,
        contents.size_bytes,
        contents.content_bytes,
        coalesce(latest_indexes.tiled_bytes, 0) as tiled_bytes,
        coalesce(latest_indexes.is_tiled, false) as is_tiled,
        coalesce(latest_indexes.declared_line_count, 0) as line_count,
        coalesce(latest_indexes.declared_indexed_line_count, 0) as indexed_line_count,
        coalesce(latest_indexes.declared_line_count - latest_indexes.declared_indexed_line_count, 0)
            as not_read_line_count,
        {{ or_zero('counted', [
            'record_line_count', 'erased_count', 'blank_count', 'rejected_count', 'landed_count',
            'duplicate_count', 'out_of_partition_count', 'gap_count'
        ]) }},
        declared.declared_record_count,
        case
            when declared.declared_record_count is not null and latest_indexes.is_complete
                then
                    declared.declared_count_variants = 1
                    and declared.declared_record_count = counted.counted_line_count - counted.blank_count
        end as is_record_count_match,
        round(
            counted.rejected_count::numeric / nullif(counted.record_line_count + counted.rejected_count, 0), 6
        ) as reject_rate,
        coalesce(contents.is_record, false) as is_record,
        partitions.first_partition,
        coalesce(partitions.partition_count, 0) as partition_count,
        coalesce(partitions.taken_partition_count, 0) as taken_partition_count,
        coalesce(counted.event_digest, 0) as event_digest,
        abs(
            coalesce(latest_indexes.declared_indexed_line_count, 0)
            - coalesce(
                counted.erased_count
                + counted.blank_count
                + counted.rejected_count
                + counted.landed_count
                + counted.duplicate_count
                + counted.out_of_partition_count,
                0
            )
        ) as unexplained_count
    from known_assets
    left join contents on known_assets.asset_id = contents.asset_id
    left join declared on known_assets.asset_id = declared.asset_id
    left join latest_indexes on known_assets.asset_id = latest_indexes.asset_id
    left join {{ source('ops', 'ruleset') }} as rulesets on latest_indexes.ruleset_id = rulesets.ruleset_id
    left join counted on known_assets.asset_id = counted.asset_id
    left join partitions on known_assets.asset_id = partitions.asset_id

),

-- A file that is a record has one line: the share of rejects means something over its kind and day only.
final as (

    select
        measured.*,
        case
            when measured.is_record then sum(measured.record_line_count) over of_day
            else measured.record_line_count
        end as limited_record_count,
        case
            when measured.is_record then sum(measured.rejected_count) over of_day
            else measured.rejected_count
        end as limited_rejected_count
    from measured
    window of_day as (partition by measured.record_kind, measured.first_partition, measured.is_record)

)

select * from final
