{#- Names of the columns in which two aliases differ, null-safely, as one text; null where they are equal. -#}
{% macro differing_names(alias_a, alias_b, columns) -%}
    {{ return(adapter.dispatch('differing_names')(alias_a, alias_b, columns)) }}
{%- endmacro %}

{% macro default__differing_names(alias_a, alias_b, columns) -%}
    {{ exceptions.raise_compiler_error("differing_names exists for PostgreSQL only, not for " ~ target.type) }}
{%- endmacro %}

{% macro postgres__differing_names(alias_a, alias_b, columns) -%}
    nullif(concat_ws(
        ', ',
        {%- for column in columns %}
        case when {{ alias_a }}.{{ column }} is distinct from {{ alias_b }}.{{ column }} then '{{ column }}' end{{ "," if not loop.last }}
        {%- endfor %}
    ), '')
{%- endmacro %}
