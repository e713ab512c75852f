{#- Operation after an erasure: what it deleted in Silver leaves the tables and the planner's statistics. Vacuum takes no
    transaction around it. -#}
{% macro vacuum_silver() -%}
    {{ return(adapter.dispatch('vacuum_silver')()) }}
{%- endmacro %}

{% macro default__vacuum_silver() -%}
    {{ exceptions.raise_compiler_error("vacuum_silver is written for PostgreSQL, not for " ~ target.type) }}
{%- endmacro %}

{% macro postgres__vacuum_silver() -%}
    {%- for table in ['ticket_fact', 'customer_dim', 'stale_version', 'stale_ticket'] -%}
        {%- call statement('vacuum_' ~ table, auto_begin=False) -%}
vacuum (analyze) silver.{{ table }}
        {%- endcall -%}
    {%- endfor -%}
{%- endmacro %}
