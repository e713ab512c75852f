select
    asset_index.asset_id,
    asset_index.ruleset_id,
    asset_index.line_count,
    asset_index.indexed_line_count,
    asset_index.is_complete,
    asset_index.run_id,
    asset_index.attempt,
    asset_index.indexed_at
from {{ source('ops', 'asset_index') }} as asset_index
inner join {{ source('ops', 'asset_reading') }} as asset_reading
    on
        asset_index.asset_id = asset_reading.asset_id
        and asset_index.ruleset_id = asset_reading.ruleset_id
