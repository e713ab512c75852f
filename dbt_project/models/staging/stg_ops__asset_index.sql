select distinct on (asset_id)
    asset_id,
    ruleset_id,
    line_count,
    indexed_line_count,
    is_complete,
    run_id,
    attempt,
    indexed_at
from {{ source('ops', 'asset_index') }}
order by asset_id asc, is_complete desc, ruleset_id desc
