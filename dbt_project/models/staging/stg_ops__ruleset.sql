select
    ruleset_id,
    ruleset_sha256,
    contract_ref,
    components,
    registered_at
from {{ source('ops', 'ruleset') }}
