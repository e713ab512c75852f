{{ config(alias='customer_dim') }}

-- As the customer's newest released ticket has it.
select distinct on (customer_id)
    customer_id,
    org_id,
    sla_tier,
    coalesce(updated_at, created_at) as last_seen_at,
    ticket_id as last_ticket_id,
    partition_key,
    record_fingerprint,
    event_id,
    asset_id,
    source_fingerprint,
    line_number,
    manifest_id,
    batch_id,
    ingest_batch_id,
    run_id,
    dlt_load_id,
    data_release_id
from {{ ref('serving_ticket_fact') }}
order by customer_id asc, coalesce(updated_at, created_at) desc, ticket_id desc
