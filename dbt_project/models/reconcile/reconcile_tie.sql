{{ config(pre_hook="{{ set_reconcile_session() }}") }}

with

tied as (

    select
        record_kind,
        partition_key,
        tie_asset_id as asset_id,
        count(*) as version_count,
        count(distinct record_key) as record_count
    from {{ ref('reconcile_event') }}
    where tie_asset_id is not null
    group by record_kind, partition_key, tie_asset_id

),

-- The entry that gives an asset its place.
places as (

    select distinct on (asset_id)
        asset_id,
        manifest_id,
        source_id,
        ops.sequence_place(sequence) as asset_sequence
    from {{ source('ops', 'manifest_asset') }}
    where asset_id in (select tied.asset_id from tied)
    order by asset_id asc, ops.sequence_place(sequence) asc, manifest_id asc, source_id asc

)

select
    tied.record_kind,
    tied.partition_key,
    tied.asset_id,
    places.manifest_id,
    places.source_id,
    places.asset_sequence,
    tied.version_count,
    tied.record_count
from tied
left join places on tied.asset_id = places.asset_id
