{#- A query of no rows. `columns`: their names, each with its type. -#}
{% macro no_rows(columns) -%}
select
    {%- for name, type in columns.items() %}
    null::{{ type }} as {{ name }}{{ "," if not loop.last }}
    {%- endfor %}
where false
{%- endmacro %}
