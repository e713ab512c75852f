select
    load_id,
    table_name,
    run_id,
    attempt,
    row_count,
    row_digest,
    completed_at
from {{ source('ops', 'completed_load') }}
