{#- dbt calls this for a schema that it misses. An administrator makes the four layers, once (infra/postgres/roles.sql):
    dbt's role may create none, or it could make one in which others look for their functions. -#}
{% macro postgres__create_schema(relation) -%}
    {{ exceptions.raise_compiler_error(
        "schema " ~ relation.schema ~ " is missing, and dbt's role may not create it; nothing was built."
        ~ " Next: psql -d " ~ relation.database ~ " -f infra/postgres/roles.sql   # as an administrator") }}
{%- endmacro %}

{#- Under this lock views are created: where two builds create the same one at once, PostgreSQL fails one
    of them. (infra/postgres/00_locks.sql) -#}
{% macro catalog_lock() -%}
lock table ops.catalog_lock in exclusive mode
{%- endmacro %}
