-- Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them.
{{ config(alias='transcript_line') }}

-- A row is seen where its partition's pointer stands at its release or later, before the one that ended it.
select
    versions.segment_id,
    versions.segment_number,
    versions.record_source,
    versions.asset_type,
    versions.license,
    versions.language,
    versions.linked_source_id,
    versions.recorded_at,
    versions.start_seconds,
    versions.end_seconds,
    versions.speaker,
    versions.content_sha256,
    versions.partition_key,
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
from {{ source('release', 'transcript_line') }} as versions
inner join {{ source('release', 'partition_pointer') }} as pointers
    on versions.partition_key = pointers.partition_key
where
    pointers.record_kind = 'transcript_line_v1'
    and versions.first_release_id <= pointers.data_release_id
    and (versions.end_release_id is null or versions.end_release_id > pointers.data_release_id)
