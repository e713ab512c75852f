{#- A query of the events that Silver shows of a kind's queued records, one row each: what Bronze holds of it, its record and
    envelope parsed (`record_fields`, `envelope_fields`), how many versions there are, and where it came from. For the
    kind's own model, after freeze_silver_scope. -#}
{% macro winning_events(kind) -%}
{#- Frozen by a hook. -#}
{%- do ref('stg_ops__completed_load') -%}
with

{{ origins() }}

select
    events.record_key,
    events.record_source,
    events.person_id,
    events.created_at,
    events.updated_at,
    events.raw_payload::jsonb as record_fields,
    events.envelope::jsonb as envelope_fields,
    events.partition_key,
    versions.version_count,
    events.warning_codes,
    encode(events.record_fingerprint, 'hex') as record_fingerprint,
    events.event_id,
    events.asset_id,
    source_assets.source_fingerprint,
    events.line_number,
    run_manifests.manifest_id,
    manifests.batch_id,
    events.run_id,
    events._dlt_load_id as dlt_load_id
from {{ ranked_versions(kind) }} as versions
-- Where they lie, not through a staging view: the versions are of loads that count already.
inner join {{ source('bronze', declared_kinds()[kind].bronze) }} as events
    on versions.event_id = events.event_id
{{ joined_origins() }}
where versions.is_winner
limit all -- a fence: the payload is parsed once, not once for every field, and by the workers
{%- endmacro %}

{#- CTEs: the manifest under which a run first read an asset, each file and each manifest. A row of the ledger that is
    doubled doubles no row of Silver. -#}
{% macro origins() -%}
run_manifests as (

    select
        run_id,
        asset_id,
        min(manifest_id) as manifest_id
    from {{ ref('stg_ops__run_asset') }}
    group by run_id, asset_id

),

source_assets as (

    select
        asset_id,
        min(source_fingerprint) as source_fingerprint
    from {{ ref('stg_ops__source_asset') }}
    group by asset_id

),

manifests as (

    select
        manifest_id,
        min(batch_id) as batch_id
    from {{ ref('stg_ops__manifest') }}
    group by manifest_id

)
{%- endmacro %}

{#- What joins, beside `events` and the CTEs of `origins`, the file and the manifest that each event came with. -#}
{% macro joined_origins() -%}
left join source_assets
    on events.asset_id = source_assets.asset_id
left join run_manifests
    on
        events.run_id = run_manifests.run_id
        and events.asset_id = run_manifests.asset_id
left join manifests
    on run_manifests.manifest_id = manifests.manifest_id
{%- endmacro %}
