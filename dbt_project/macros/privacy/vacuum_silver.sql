{#- Operation after an erasure: what it deleted in Silver leaves the tables and the planner's statistics. Vacuum takes no
    transaction around it. -#}
{% macro vacuum_silver() -%}
    {%- set tables = ['stale_record'] -%}
    {%- for kind in declared_kinds().values() -%}
        {%- do tables.extend([kind.silver, kind.silver ~ '_ranked'] + kind.dimensions) -%}
    {%- endfor -%}
    {%- for table in tables -%}
        {%- call statement('vacuum_' ~ table, auto_begin=False) -%}
vacuum (analyze) silver.{{ table }}
        {%- endcall -%}
    {%- endfor -%}
{%- endmacro %}
