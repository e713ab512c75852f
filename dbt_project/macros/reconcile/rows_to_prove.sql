{#- A query of the rows of `relation` that a build proves: those whose key is in `scope`, a relation with a column `scope_key`
    (default: of the same name); all rows where there is no scope, or the build proves everything. `is_fenced`: they are
    found by that key, whatever they are joined with, not by going through every load. -#}
{% macro rows_to_prove(relation, key, scope, scope_key=none, is_fenced=false) -%}
    {%- set is_kept = model.config.materialized == 'incremental' -%}
    select * from {{ relation }}
    {%- if scope is not none and (is_incremental() if is_kept else is_proving_changes()) %}
    where {{ key }} = any(array(select scope.{{ scope_key or key }} from {{ scope }} as scope))
    {{- "\n    offset 0" if is_fenced }}
    {%- endif %}
{%- endmacro %}
