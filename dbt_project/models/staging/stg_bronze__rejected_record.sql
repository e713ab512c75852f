select
    reject.asset_id,
    reject.line_number,
    reject.ruleset_id,
    reject.partition_key,
    reject.reason_codes,
    reject.message,
    reject.json_path,
    reject.raw_line,
    reject.raw_line_sha256,
    reject.run_id,
    reject._dlt_load_id as dlt_load_id,
    asset_reading.record_kind
from {{ source('bronze', 'visible_reject') }} as reject
inner join {{ source('ops', 'asset_reading') }} as asset_reading
    on
        reject.asset_id = asset_reading.asset_id
        and reject.ruleset_id = asset_reading.ruleset_id
