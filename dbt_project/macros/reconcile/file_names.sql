{#- A query of one name for each asset: manifests may name the same content differently. -#}
{% macro file_names() -%}
    select
        asset_id,
        min(source_id) as source_id
    from {{ source('ops', 'manifest_asset') }}
    where asset_id is not null
    group by asset_id
{%- endmacro %}
