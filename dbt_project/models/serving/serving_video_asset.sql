-- Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them.
{{ config(alias='video_asset') }}

-- A row is seen where its partition's pointer stands at its release or later, before the one that ended it.
select
    versions.source_id,
    versions.record_source,
    versions.asset_type,
    versions.license,
    versions.owner,
    versions.language,
    versions.product_line,
    versions.tags,
    versions.quality_gate,
    versions.pii_level,
    versions.ticket_id,
    versions.recorded_at,
    versions.speaker_count,
    versions.is_diarised,
    versions.transcript_path,
    versions.audio_track_path,
    versions.key_frame_paths,
    versions.media_type,
    versions.codec,
    versions.duration_seconds,
    versions.width_pixels,
    versions.height_pixels,
    versions.frame_rate,
    versions.audio_codec,
    versions.sample_rate_hz,
    versions.channel_count,
    versions.size_bytes,
    versions.content_sha256,
    versions.partition_key,
    versions.raw_zone_key,
    versions.version_count,
    versions.warning_codes,
    versions.record_fingerprint,
    versions.event_id,
    versions.asset_id,
    versions.source_fingerprint,
    versions.line_number,
    versions.manifest_id,
    versions.batch_id,
    versions.run_id,
    versions.dlt_load_id,
    pointers.data_release_id
from {{ source('release', 'video_asset') }} as versions
inner join {{ source('release', 'partition_pointer') }} as pointers
    on versions.partition_key = pointers.partition_key
where
    pointers.record_kind = 'video_v1'
    and versions.first_release_id <= pointers.data_release_id
    and (versions.end_release_id is null or versions.end_release_id > pointers.data_release_id)
