{#- Fails with the findings about one table, or about every table but the given ones. -#}
{% test no_finding(model, table_name=none, except_tables=[]) %}
{{ config(tags=['findings']) }}
select *
from {{ model }}
where
    {%- if table_name is not none %}
    table_name = '{{ table_name }}'
    {%- else %}
    table_name not in ('{{ except_tables | join("', '") }}')
    {%- endif %}
{% endtest %}
