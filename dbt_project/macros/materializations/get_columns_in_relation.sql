{#- dbt-postgres calls every array type "ARRAY", which cannot be cast to: unit tests of models with arrays need the
    type's name. And it asks information_schema.columns, a view of ten catalogs that takes four milliseconds to plan:
    where only changes are proved, a tenth of the server's work. -#}
{% macro postgres__get_columns_in_relation(relation) -%}
    {%- call statement('get_columns_in_relation', fetch_result=True) %}
select
    attname as column_name,
    format_type(atttypid, null) as data_type,
    information_schema._pg_char_max_length(atttypid, atttypmod) as character_maximum_length,
    information_schema._pg_numeric_precision(atttypid, atttypmod) as numeric_precision,
    information_schema._pg_numeric_scale(atttypid, atttypmod) as numeric_scale
from pg_catalog.pg_attribute
inner join pg_catalog.pg_class on pg_class.oid = attrelid and relkind in ('r', 'v', 'f', 'p')
inner join pg_catalog.pg_namespace on pg_namespace.oid = relnamespace
where
    relname = '{{ relation.identifier }}'
    {%- if relation.schema %}
    and nspname = '{{ relation.schema }}'
    {%- endif %}
    and attnum > 0
    and not attisdropped
order by attnum
    {%- endcall -%}
    {{ return(sql_convert_columns_in_relation(load_result('get_columns_in_relation').table)) }}
{%- endmacro %}
