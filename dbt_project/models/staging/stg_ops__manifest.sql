select
    manifest_id,
    manifest_sha256,
    manifest_bytes,
    manifest_path,
    batch_id,
    contract_ref,
    modality,
    load_mode,
    window_field,
    window_start as window_start_at,
    window_end as window_end_at,
    declared_asset_count,
    is_implicit,
    registered_by_run_id,
    registered_at
from {{ source('ops', 'manifest') }}
