select
    asset_readings.record_kind,
    rejects.partition_key,
    rejects.reason_code,
    sum(rejects.line_count)::bigint as line_count,
    count(distinct rejects.asset_id) as asset_count
from {{ ref('asset_reject') }} as rejects
left join {{ source('ops', 'asset_reading') }} as asset_readings
    on rejects.asset_id = asset_readings.asset_id
group by asset_readings.record_kind, rejects.partition_key, rejects.reason_code
