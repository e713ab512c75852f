{#- Rows that two relations do not hold equally often, compared null-safely in both directions. -#}
{#-
    A row's text serves as join key: it is hashable, so a full join is possible, and null equals null but not ''.
    Grouping first keeps copies countable: a row that stands twice on one side and once on the other differs.
-#}
{% macro rows_differ(relation_a, relation_b, key, columns=[]) -%}
    {%- set compared = key + columns -%}
    select
        {%- for column in compared %}
        case when side_a.row_text is null then side_b.{{ column }} else side_a.{{ column }} end as {{ column }},
        {%- endfor %}
        coalesce(side_a.copy_count, 0) as a_copy_count,
        coalesce(side_b.copy_count, 0) as b_copy_count
    from (
        select {{ compared | join(', ') }}, row({{ compared | join(', ') }})::text as row_text, count(*) as copy_count
        from {{ relation_a }}
        group by {{ compared | join(', ') }}
    ) as side_a
    full join (
        select {{ compared | join(', ') }}, row({{ compared | join(', ') }})::text as row_text, count(*) as copy_count
        from {{ relation_b }}
        group by {{ compared | join(', ') }}
    ) as side_b on side_a.row_text = side_b.row_text
    where side_a.copy_count is distinct from side_b.copy_count
{%- endmacro %}
