{#- A query of the completed loads of lines, and whether each still holds what it was completed with. -#}
{% macro loads_of_lines() -%}
    select
        completed_loads.load_id,
        coalesce(bool_and(loads.is_intact), false) as is_intact
    from {{ source('ops', 'completed_load') }} as completed_loads
    left join {{ ref('reconcile_load') }} as loads
        on {{ equal_in('completed_loads', 'loads', ['load_id', 'table_name']) }}
    where completed_loads.table_name = 'asset_line'
    group by completed_loads.load_id
{%- endmacro %}

{#- Whether a row of a table of Bronze belongs to a load of that table, where loads of several tables stand together. -#}
{% macro is_loaded_by(row, load, table_name) -%}
    {{ row }}._dlt_load_id = {{ load }}.load_id and {{ load }}.table_name = '{{ table_name }}'
{%- endmacro %}
