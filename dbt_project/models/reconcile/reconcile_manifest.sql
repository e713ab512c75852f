with

headers as (

    select
        manifest_id,
        min(batch_id) as batch_id,
        min(contract_ref) as contract_ref,
        min(load_mode) as load_mode,
        bool_or(is_implicit) as is_implicit,
        min(declared_asset_count) as declared_asset_count
    from {{ source('ops', 'manifest') }}
    group by manifest_id

),

-- Entries, not assets: two entries with the same bytes each have their own equation.
entries as (

    select
        manifest_assets.manifest_id,
        count(*) as entry_count,
        count(*) filter (where manifest_assets.disposition = 'admitted') as admitted_asset_count,
        count(*) filter (where manifest_assets.disposition = 'withheld') as withheld_asset_count,
        count(*) filter (where manifest_assets.disposition = 'missing') as missing_asset_count,
        count(*) filter (where manifest_assets.disposition = 'not_available') as not_available_asset_count,
        count(*) filter (
            where manifest_assets.disposition = 'admitted' and assets.ruleset_id is null
        ) as not_read_asset_count,
        coalesce(sum(assets.size_bytes), 0) as size_bytes,
        coalesce(sum(assets.content_bytes), 0) as content_bytes,
        coalesce(sum(assets.line_count), 0) as line_count,
        coalesce(sum(assets.not_read_line_count), 0) as not_read_line_count,
        coalesce(sum(assets.erased_count), 0) as erased_count,
        coalesce(sum(assets.blank_count), 0) as blank_count,
        coalesce(sum(assets.rejected_count), 0) as rejected_count,
        coalesce(sum(assets.landed_count), 0) as landed_count,
        coalesce(sum(assets.duplicate_count), 0) as duplicate_count,
        coalesce(sum(assets.out_of_partition_count), 0) as out_of_partition_count,
        coalesce(sum(assets.gap_count), 0) as gap_count,
        coalesce(sum(assets.unexplained_count), 0) as unexplained_line_count
    from {{ source('ops', 'manifest_asset') }} as manifest_assets
    left join {{ ref('reconcile_asset') }} as assets on manifest_assets.asset_id = assets.asset_id
    group by manifest_assets.manifest_id

),

final as (

    select
        coalesce(headers.manifest_id, entries.manifest_id) as manifest_id,
        headers.batch_id,
        headers.contract_ref,
        headers.load_mode,
        headers.is_implicit,
        coalesce(headers.declared_asset_count, 0) as declared_asset_count,
        {{ or_zero('entries', [
            'admitted_asset_count', 'withheld_asset_count', 'missing_asset_count',
            'not_available_asset_count', 'not_read_asset_count', 'size_bytes', 'content_bytes',
            'line_count', 'not_read_line_count', 'erased_count', 'blank_count', 'rejected_count',
            'landed_count', 'duplicate_count', 'out_of_partition_count', 'gap_count'
        ]) }},
        coalesce(entries.unexplained_line_count, 0)
        + abs(coalesce(headers.declared_asset_count, 0) - coalesce(entries.entry_count, 0))
            as unexplained_count
    from headers
    full join entries on headers.manifest_id = entries.manifest_id

)

select * from final
