-- What serving.call_asset, serving.video_asset and serving.image_asset say alike, by the same rule: a row
-- is seen where its partition's pointer stands at its release or later, before the one that ended it. It
-- reads none of these views: each kind can be built without the others.
with

versions as (

    select
        'call_v1' as record_kind,
        first_release_id,
        end_release_id,
        source_id,
        record_source,
        asset_type,
        license,
        language, -- noqa: RF04
        product_line,
        ticket_id,
        recorded_at,
        partition_key,
        media_type,
        duration_seconds,
        size_bytes,
        content_sha256,
        raw_zone_key
    from {{ source('release', 'call_asset') }}
    union all
    select
        'video_v1' as record_kind,
        first_release_id,
        end_release_id,
        source_id,
        record_source,
        asset_type,
        license,
        language, -- noqa: RF04
        product_line,
        ticket_id,
        recorded_at,
        partition_key,
        media_type,
        duration_seconds,
        size_bytes,
        content_sha256,
        raw_zone_key
    from {{ source('release', 'video_asset') }}
    union all
    select
        'image_v1' as record_kind,
        first_release_id,
        end_release_id,
        source_id,
        record_source,
        asset_type,
        license,
        language, -- noqa: RF04
        product_line,
        ticket_id,
        recorded_at,
        partition_key,
        media_type,
        null::numeric as duration_seconds,
        size_bytes,
        content_sha256,
        raw_zone_key
    from {{ source('release', 'image_asset') }}

)

select
    versions.record_kind,
    versions.source_id,
    versions.record_source,
    versions.asset_type,
    versions.license,
    versions.language,
    versions.product_line,
    versions.ticket_id,
    versions.recorded_at,
    versions.partition_key,
    versions.media_type,
    versions.duration_seconds,
    versions.size_bytes,
    versions.content_sha256,
    versions.raw_zone_key,
    pointers.data_release_id
from versions
inner join {{ source('release', 'partition_pointer') }} as pointers
    on versions.partition_key = pointers.partition_key and versions.record_kind = pointers.record_kind
where
    versions.first_release_id <= pointers.data_release_id
    and (versions.end_release_id is null or versions.end_release_id > pointers.data_release_id)
