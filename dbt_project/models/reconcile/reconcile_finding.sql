{{ config(pre_hook="{{ set_reconcile_session() }}", post_hook="{{ sign_scope() }}") }}

with

manifest_assets as (

    select * from {{ source('ops', 'manifest_asset') }}

),


fates as (

    select * from {{ ref('reconcile_fate') }}

),

checked as (

    select * from {{ ref('check_load') }}
    union all
    select * from {{ ref('check_event') }}
    union all
    select * from {{ ref('check_line') }}
    union all
    select * from {{ ref('check_reject') }}
    union all
    select * from {{ ref('check_manifest') }}
    union all
    select * from {{ ref('check_asset') }}
    union all
    select * from {{ ref('check_run') }}
    union all
    select * from {{ ref('check_silver') }}
    union all
    select * from {{ ref('check_customer') }}

),

-- Two tables disagree about a load: its rows, or the promise in ops.completed_load. Where no other check
-- names the rows, either may have been edited, and both are named.
suspected as (

    select * from checked
    union all
    select
        {{ finding(
            'completed_load_differs_from_content', "'ops.completed_load'", 'suspect.detail',
            partition_key='suspect.partition_key', asset_id='suspect.asset_id', run_id='suspect.run_id'
        ) }}
    from checked as suspect
    where
        suspect.check_name = 'content_differs_from_completed_load'
        and not exists (
            select 1
            from checked as evidence
            where
                evidence.table_name = suspect.table_name
                and evidence.check_name <> 'content_differs_from_completed_load'
        )

),

-- Silver copies some lineage from the loader's tables: where those are named already, it proves nothing new.
relevant as (

    select *
    from suspected
    where
        check_name <> 'lineage_differs'
        or not exists (
            select 1
            from suspected as origin
            where
                origin.table_name in (
                    'ops.manifest', 'ops.manifest_asset', 'ops.source_asset', 'ops.run_asset'
                )
        )

),

grouped as (

    select
        check_name,
        table_name,
        partition_key,
        asset_id,
        run_id,
        manifest_id,
        source_id,
        sum(finding_count)::bigint as finding_count,
        min(detail) as detail
    from relevant
    group by check_name, table_name, partition_key, asset_id, run_id, manifest_id, source_id

),

-- One name per asset: manifests may name the same content differently.
file_names as (

    select
        asset_id,
        min(source_id) as source_id
    from manifest_assets
    where asset_id is not null
    group by asset_id

),

-- The days that an asset reaches, for findings about the asset as a whole.
asset_days as (

    select
        asset_id,
        min(partition_key) as first_partition_key,
        max(partition_key) as last_partition_key
    from fates
    where partition_key is not null
    group by asset_id

),

final as (

    select
        grouped.check_name,
        grouped.table_name,
        coalesce(
            grouped.partition_key,
            case
                when asset_days.first_partition_key = asset_days.last_partition_key
                    then asset_days.first_partition_key
            end
        ) as partition_key,
        grouped.asset_id,
        coalesce(grouped.source_id, file_names.source_id) as source_id,
        grouped.manifest_id,
        grouped.run_id,
        grouped.finding_count,
        grouped.detail || case
            when
                grouped.partition_key is null
                and asset_days.first_partition_key < asset_days.last_partition_key
                then
                    '; the asset reaches partitions ' || asset_days.first_partition_key || ' to '
                    || asset_days.last_partition_key
            else ''
        end as detail
    from grouped
    left join file_names on grouped.asset_id = file_names.asset_id
    left join asset_days on grouped.asset_id = asset_days.asset_id

)

select * from final
