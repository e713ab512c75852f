{#- Which columns of a row hold what the model's yml does not allow (meta `accepted_values`, `is_never_null`), as text;
    empty where none does. Null is accepted unless it is never to be. -#}
{% macro columns_not_as_declared(model_name) -%}
concat_ws(
    ', ',
    {%- set columns = graph.nodes['model.omnisupport.' ~ model_name].columns.values() if execute else [] -%}
    {%- for column in columns %}
    {%- set declared = column.config.meta %}
    {%- if 'accepted_values' in declared %}
    case when {{ column.name }} not in ('{{ declared.accepted_values | join("', '") }}') then '{{ column.name }}' end,
    {%- endif %}
    {%- if declared.is_never_null %}
    case when {{ column.name }} is null then '{{ column.name }} is null' end,
    {%- endif %}
    {%- endfor %}
    null
)
{%- endmacro %}
