-- Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them.
{{ config(alias='ocr_text') }}

-- A row is seen where its partition's pointer stands at its release or later, before the one that ended it.
select
    versions.source_id,
    versions.record_source,
    versions.asset_type,
    versions.license,
    versions.owner,
    versions.language,
    versions.quality_gate,
    versions.pii_level,
    versions.linked_source_id,
    versions.recorded_at,
    versions.media_type,
    versions.word_count,
    versions.character_count,
    versions.line_count,
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
from {{ source('release', 'ocr_text') }} as versions
inner join {{ source('release', 'partition_pointer') }} as pointers
    on versions.partition_key = pointers.partition_key
where
    pointers.record_kind = 'ocr_text_v1'
    and versions.first_release_id <= pointers.data_release_id
    and (versions.end_release_id is null or versions.end_release_id > pointers.data_release_id)
