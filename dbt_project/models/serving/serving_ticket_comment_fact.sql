-- Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them.
{{ config(alias='ticket_comment_fact') }}

-- A row is seen where its partition's pointer stands at its release or later, before the one that ended it.
select
    versions.comment_id,
    versions.schema_version,
    versions.record_source,
    versions.ticket_id,
    versions.author_id,
    versions.author_role,
    versions.visibility,
    versions.word_count,
    versions.seconds_to_reply,
    versions.attachments,
    versions.created_at,
    versions.updated_at,
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
    versions.ingest_batch_id,
    versions.run_id,
    versions.dlt_load_id,
    pointers.data_release_id
from {{ source('release', 'ticket_comment_fact') }} as versions
inner join {{ source('release', 'partition_pointer') }} as pointers
    on versions.partition_key = pointers.partition_key
where
    pointers.record_kind = 'ticket_comment_v1'
    and versions.first_release_id <= pointers.data_release_id
    and (versions.end_release_id is null or versions.end_release_id > pointers.data_release_id)
