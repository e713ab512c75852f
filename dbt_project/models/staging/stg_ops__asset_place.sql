select
    asset_id,
    sequence
from {{ source('ops', 'asset_place') }}
