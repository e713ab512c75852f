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
from {{ source('bronze', 'visible_line') }} as asset_line
inner join {{ source('ops', 'asset_reading') }} as asset_reading
    on
        asset_line.asset_id = asset_reading.asset_id
        and asset_line.ruleset_id = asset_reading.ruleset_id
