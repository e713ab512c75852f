select
    raw_event.event_id,
    raw_event.record_fingerprint,
    raw_event.source_id as record_source,
    raw_event.ticket_id,
    raw_event.customer_id,
    raw_event.created_at,
    raw_event.updated_at,
    raw_event.resolved_at,
    raw_event.sla_due_at,
    raw_event.partition_key,
    raw_event.raw_payload,
    raw_event.raw_payload::jsonb as payload,
    raw_event.ingest_batch_id,
    raw_event.warning_codes,
    raw_event.asset_id,
    raw_event.line_number,
    raw_event.run_id,
    raw_event._dlt_load_id as dlt_load_id
from {{ source('bronze', 'raw_ticket_event') }} as raw_event
inner join {{ source('ops', 'completed_load') }} as completed_load
    on
        raw_event._dlt_load_id = completed_load.load_id
        and completed_load.table_name = 'raw_ticket_event'
