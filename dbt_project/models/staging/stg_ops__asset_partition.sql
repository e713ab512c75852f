select
    asset_partition.asset_id,
    asset_partition.ruleset_id,
    asset_partition.partition_key,
    asset_partition.record_line_count,
    asset_partition.rejected_line_count,
    asset_partition.taken_by_run_id,
    asset_partition.taken_at
from {{ source('ops', 'asset_partition') }} as asset_partition
inner join {{ ref('stg_ops__asset_index') }} as latest_index
    on
        asset_partition.asset_id = latest_index.asset_id
        and asset_partition.ruleset_id = latest_index.ruleset_id
