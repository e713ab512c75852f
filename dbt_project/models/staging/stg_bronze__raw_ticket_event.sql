select
    raw_event.event_id,
    raw_event.record_fingerprint,
    raw_event.record_source,
    raw_event.record_key as ticket_id,
    raw_event.person_id as customer_id,
    raw_event.created_at,
    raw_event.updated_at,
    {{ instant('raw_event.raw_payload::jsonb', 'resolved_at') }} as resolved_at,
    {{ instant('raw_event.raw_payload::jsonb', 'sla_due_at') }} as sla_due_at,
    raw_event.partition_key,
    raw_event.raw_payload,
    raw_event.raw_payload::jsonb as payload,
    raw_event.envelope::jsonb ->> 'ingest_batch_id' as ingest_batch_id,
    raw_event.warning_codes,
    raw_event.asset_id,
    raw_event.line_number,
    raw_event.run_id,
    raw_event._dlt_load_id as dlt_load_id
from {{ source('bronze', 'visible_event') }} as raw_event
where raw_event.record_kind = 'ticket_v1'
