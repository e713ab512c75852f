-- Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them.
{{ config(alias='ticket_fact') }}

-- A row is seen where its partition's pointer stands at its release or later, before the one that ended it.
select
    versions.ticket_id,
    versions.record_source,
    versions.schema_version,
    versions.customer_id,
    versions.org_id,
    versions.status,
    versions.priority,
    versions.category,
    versions.product_line,
    versions.product_version,
    versions.error_codes,
    versions.asset_ids,
    versions.assignee_id,
    versions.sla_tier,
    versions.sla_due_at,
    versions.created_at,
    versions.updated_at,
    versions.resolved_at,
    versions.pii_level,
    versions.pii_redacted,
    versions.quality_gate,
    versions.owner,
    versions.tags,
    versions.partition_key,
    versions.is_open,
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
from {{ source('release', 'ticket_fact') }} as versions
inner join {{ source('release', 'partition_pointer') }} as pointers
    on versions.partition_key = pointers.partition_key
where
    pointers.record_kind = 'ticket_v1'
    and versions.first_release_id <= pointers.data_release_id
    and (versions.end_release_id is null or versions.end_release_id > pointers.data_release_id)
