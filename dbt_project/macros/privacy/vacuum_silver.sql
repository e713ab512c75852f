{#- Operation after an erasure: what it deleted in Silver leaves the tables and the planner's statistics. Vacuum takes no
    transaction around it. -#}
{% macro vacuum_silver() -%}
    {%- for table in ['ticket_fact', 'customer_dim', 'stale_version', 'stale_ticket'] -%}
        {%- call statement('vacuum_' ~ table, auto_begin=False) -%}
vacuum (analyze) silver.{{ table }}
        {%- endcall -%}
    {%- endfor -%}
{%- endmacro %}
