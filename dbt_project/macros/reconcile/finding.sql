{#-
    The columns of a finding, in their fixed order; every argument but check_name, kind and extent is an SQL expression.
    A check is `select {{ '{{' }} finding(...) {{ '}}' }} from ... where ...`, joined to the others by union all.

    kind: duplicate; gap: a line, an event or a row that must be there is not; no_trace: something is there, and who
    brought it, or what it belongs to, is not; drift: both sides are there, and their contents differ.

    A finding without partition_key is of every day that its load reaches, else its asset, else its manifest's entry, its
    manifest, its run (reconcile_finding); without record_kind it is of the kind of the first of these. extent says when that is not so:
      sum       the check adds rows up: of the days that other checks name among these rows, else of all that they reach
      lost      a sum of which rows may be gone, day and all: of the days that others name, else of every day there is
      equation  an equation of reconcile: a finding only where no other one names its day, or the same rows
-#}
{% macro finding(
    check_name, kind, table_name, detail,
    record_kind='null::text', partition_key='null::date', asset_id='null::integer', load_id='null::text', run_id='null::uuid',
    manifest_id='null::text', source_id='null::text', finding_count='1', extent="'row'"
) -%}
    {%- if kind not in ['duplicate', 'gap', 'drift', 'no_trace'] -%}
        {{ exceptions.raise_compiler_error("finding " ~ check_name ~ ": got kind '" ~ kind ~ "'") }}
    {%- endif -%}
    '{{ check_name }}' as check_name,
    '{{ kind }}' as kind,
    {{ table_name }} as table_name,
    {{ record_kind }} as record_kind,
    {{ partition_key }} as partition_key,
    {{ asset_id }} as asset_id,
    {{ load_id }} as load_id,
    {{ run_id }} as run_id,
    {{ manifest_id }} as manifest_id,
    {{ source_id }} as source_id,
    {{ finding_count }} as finding_count,
    {{ extent }} as extent,
    {{ detail }} as detail
{%- endmacro %}

{#- What a finding tells of an entry of a manifest: how its manifest, its source and its asset are named in `alias`. -#}
{% macro told_of_entry(alias) -%}
    {{ return({
        'manifest_id': alias ~ '.manifest_id', 'source_id': alias ~ '.source_id', 'asset_id': alias ~ '.asset_id'
    }) }}
{%- endmacro %}
