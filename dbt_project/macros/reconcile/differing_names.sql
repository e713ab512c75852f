{#- Names of the columns in which two aliases differ, null-safely, as one text; null where they are equal. -#}
{% macro differing_names(alias_a, alias_b, columns) -%}
    nullif(concat_ws(
        ', ',
        {%- for column in columns %}
        case when {{ alias_a }}.{{ column }} is distinct from {{ alias_b }}.{{ column }} then '{{ column }}' end{{ "," if not loop.last }}
        {%- endfor %}
    ), '')
{%- endmacro %}
