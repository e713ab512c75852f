{#- Whether rows of two aliases are equal in columns; a null is equal to nothing. -#}
{% macro equal_in(alias_a, alias_b, columns) -%}
    {%- for column in columns -%}
        {{ " and " if not loop.first }}{{ alias_a }}.{{ column }} = {{ alias_b }}.{{ column }}
    {%- endfor -%}
{%- endmacro %}
