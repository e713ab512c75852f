{#- A layer's schema has the same name everywhere: no prefix by target. -#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{- custom_schema_name | trim if custom_schema_name is not none else target.schema -}}
{%- endmacro %}
