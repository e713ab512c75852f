{#-
    The columns of a finding, in their fixed order; every argument but check_name is an SQL expression.
    A check is `select {{ '{{' }} finding(...) {{ '}}' }} from ... where ...`, joined to the others by union all.
-#}
{% macro finding(
    check_name, table_name, detail,
    partition_key='null::date', asset_id='null::integer', run_id='null::uuid',
    manifest_id='null::text', source_id='null::text', finding_count='1'
) -%}
    {{ return(adapter.dispatch('finding')(
        check_name, table_name, detail, partition_key, asset_id, run_id, manifest_id, source_id, finding_count
    )) }}
{%- endmacro %}

{% macro default__finding(
    check_name, table_name, detail, partition_key, asset_id, run_id, manifest_id, source_id, finding_count
) -%}
    '{{ check_name }}' as check_name,
    {{ table_name }} as table_name,
    {{ partition_key }} as partition_key,
    {{ asset_id }} as asset_id,
    {{ run_id }} as run_id,
    {{ manifest_id }} as manifest_id,
    {{ source_id }} as source_id,
    {{ finding_count }} as finding_count,
    {{ detail }} as detail
{%- endmacro %}
