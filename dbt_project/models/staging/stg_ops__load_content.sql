select
    load_id,
    table_name,
    row_count,
    row_digest
from {{ source('ops', 'load_content') }}
