{#- "create schema if not exists" fails in one of two builds that start at once on a new warehouse. -#}
{% macro postgres__create_schema(relation) -%}
    {%- call statement('create_schema') %}
do $create$
begin
    {{ catalog_lock() }};
    create schema if not exists {{ relation.without_identifier().include(database=False) }};
end $create$
    {%- endcall -%}
{%- endmacro %}

{#- Under this lock schemas and views are created: where two builds create the same one at once, PostgreSQL fails one
    of them. (infra/postgres/00_locks.sql) -#}
{% macro catalog_lock() -%}
lock table ops.catalog_lock in exclusive mode
{%- endmacro %}
