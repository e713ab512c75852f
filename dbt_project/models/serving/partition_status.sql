select
    partition_key,
    data_release_id,
    released_by,
    released_at,
    released_by_operator,
    record_count as ticket_count,
    newest_data_release_id,
    is_held,
    is_ready,
    reason
from {{ ref('kind_partition_status') }}
where record_kind = 'ticket_v1'
