{#- "create schema if not exists" fails in one of two builds that start at once on a new warehouse. -#}
{% macro postgres__create_schema(relation) -%}
    {%- call statement('create_schema') %}
do $create$
begin
    perform pg_advisory_xact_lock({{ catalog_lock() }});
    create schema if not exists {{ relation.without_identifier().include(database=False) }};
end $create$
    {%- endcall -%}
{%- endmacro %}

{#- Arguments of the advisory lock under which schemas and views are created: where two builds create the same one
    at once, PostgreSQL fails one of them. -#}
{% macro catalog_lock() -%}
1869442665, 3
{%- endmacro %}
