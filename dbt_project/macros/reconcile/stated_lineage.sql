{#- What the loader's tables say of where a row came from, as CTEs with a comma at the end: the manifest under which a run first
    read an asset, the fingerprint of an asset, the batch of a manifest. Rows that are doubled do not double a join. -#}
{% macro stated_lineage() -%}
run_manifests as (

    select
        run_id,
        asset_id,
        min(manifest_id) as manifest_id
    from {{ source('ops', 'run_asset') }}
    where asset_id is not null
    group by run_id, asset_id

),

fingerprints as (

    select
        asset_id,
        min(source_fingerprint) as source_fingerprint
    from {{ source('ops', 'source_asset') }}
    group by asset_id

),

batches as (

    select
        manifest_id,
        min(batch_id) as batch_id
    from {{ source('ops', 'manifest') }}
    group by manifest_id

),
{%- endmacro %}
