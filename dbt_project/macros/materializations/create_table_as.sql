{#- A table under a contract is filled by `create table as`, and gets its constraints once it is full: the server lets
    workers share such a query, and the building of the key, which it does for no INSERT into a table made before. -#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
    {%- if temporary or not config.get('contract').enforced -%}
{{ dbt.postgres__create_table_as(temporary, relation, sql) }}
    {%- else -%}
{{ get_assert_columns_equivalent(sql) }}
create table {{ relation }} as
{{ get_select_subquery(sql) }};
alter table {{ relation }}
    {{ contract_constraints() | join(',\n    ') }};
    {%- endif -%}
{%- endmacro %}

{#- The constraints of the model's contract as actions of ALTER TABLE: a list of texts, at least one. -#}
{% macro contract_constraints() -%}
    {%- set not_null, others = [], [] -%}
    {%- for column in model.columns.values() -%}
        {%- for constraint in column.constraints -%}
            {%- if constraint.type == 'not_null' -%}
                {%- do not_null.append('alter column ' ~ column.name ~ ' set not null') -%}
            {%- elif constraint.type == 'primary_key' -%}
                {%- do others.append('add primary key (' ~ column.name ~ ')') -%}
            {%- else -%}
                {%- do others.append(none) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if none in others or model.constraints or not not_null -%}
        {{ exceptions.raise_compiler_error(
            "contract of " ~ model.name ~ ": expected columns with not_null or primary_key, and one not_null at least;"
            ~ " nothing was built. Next: write the other kind in macros/materializations/create_table_as.sql") }}
    {%- endif -%}
    {{ return(not_null + others) }}
{%- endmacro %}
