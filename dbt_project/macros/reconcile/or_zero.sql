{#- Numbers of a relation that has no row for some of what it is joined to: each under its own name, 0 there. -#}
{% macro or_zero(relation, columns) -%}
    {%- for column in columns %}
coalesce({{ relation }}.{{ column }}, 0) as {{ column }}{{ "," if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{#- Lines of each of these fates, as <fate>_count: aggregates over rows with `fate` and `line_count`. -#}
{% macro lines_by_fate(fates) -%}
    {%- for fate in fates %}
coalesce(sum(line_count) filter (where fate = '{{ fate }}'), 0) as {{ fate }}_count{{ "," if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
