select
    asset_line.asset_id,
    asset_line.line_number,
    asset_line.ruleset_id,
    asset_line.byte_offset,
    asset_line.byte_length,
    asset_line.kind,
    asset_line.event_id,
    asset_line.partition_key,
    asset_line._dlt_load_id as dlt_load_id
from {{ source('bronze', 'asset_line') }} as asset_line
inner join {{ ref('stg_ops__asset_index') }} as latest_index
    on
        asset_line.asset_id = latest_index.asset_id
        and asset_line.ruleset_id = latest_index.ruleset_id
inner join {{ source('ops', 'completed_load') }} as completed_load
    on
        asset_line._dlt_load_id = completed_load.load_id
        and completed_load.table_name = 'asset_line'
