select
    load_id,
    table_name,
    run_id,
    attempt,
    row_count,
    row_digest,
    completed_at,
    record_kind
from {{ source('ops', 'completed_load') }}
