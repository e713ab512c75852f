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
    reject._dlt_load_id as dlt_load_id
from {{ source('bronze', 'rejected_record') }} as reject
inner join {{ ref('stg_ops__asset_index') }} as latest_index
    on
        reject.asset_id = latest_index.asset_id
        and reject.ruleset_id = latest_index.ruleset_id
inner join {{ source('ops', 'completed_load') }} as completed_load
    on
        reject._dlt_load_id = completed_load.load_id
        and completed_load.table_name = 'rejected_record'
