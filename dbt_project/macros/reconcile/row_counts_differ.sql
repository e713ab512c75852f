{#- Groups whose number of rows differs between two relations; a group that one side lacks counts as 0 there. -#}
{% macro row_counts_differ(relation_a, relation_b, group_a, group_b) -%}
    select
        coalesce(side_a.group_text, side_b.group_text) as group_text,
        coalesce(side_a.row_count, 0) as a_row_count,
        coalesce(side_b.row_count, 0) as b_row_count
    from (
        select coalesce({{ group_a }}::text, 'null') as group_text, count(*) as row_count
        from {{ relation_a }}
        group by group_text
    ) as side_a
    full join (
        select coalesce({{ group_b }}::text, 'null') as group_text, count(*) as row_count
        from {{ relation_b }}
        group by group_text
    ) as side_b on side_a.group_text = side_b.group_text
    where side_a.row_count is distinct from side_b.row_count
{%- endmacro %}
