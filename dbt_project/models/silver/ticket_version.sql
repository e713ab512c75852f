{{ config(materialized='view') }}

select
    event_id,
    record_key as ticket_id,
    person_id as customer_id,
    record_source,
    record_fingerprint,
    created_at,
    version_at,
    sequence,
    line_number,
    version_rank,
    version_count,
    is_collided,
    is_winner
from ({{ record_versions('ticket_v1') }}) as versions
