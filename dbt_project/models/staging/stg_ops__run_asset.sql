select
    run_id,
    attempt,
    manifest_id,
    source_id,
    asset_id,
    action,
    judgement,
    reason_codes
from {{ source('ops', 'run_asset') }}
