-- Read those of a number greater than the last that was read, and nothing is missed.
select
    change_number,
    record_kind,
    record_key,
    operation,
    data_release_id,
    row_digest
from {{ source('release', 'change') }}
