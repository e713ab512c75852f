select
    asset_id,
    source_fingerprint,
    size_bytes,
    content_encoding,
    content_bytes,
    raw_zone_key,
    registered_by_run_id,
    registered_at
from {{ source('ops', 'source_asset') }}
