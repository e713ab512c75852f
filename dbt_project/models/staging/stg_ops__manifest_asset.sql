select
    manifest_id,
    source_id,
    ordinal,
    asset_id,
    source_url_or_path,
    asset_type,
    declared_checksum_sha256,
    declared_size_bytes,
    declared_record_count,
    sequence,
    judgement,
    disposition,
    reason_codes,
    judged_by_run_id,
    judged_at
from {{ source('ops', 'manifest_asset') }}
