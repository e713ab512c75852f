{#- Columns that a kind's model of Silver has and no field gives, each with the witness's own way to it: a list of
    {column, type, value}. `prefix` goes before the names of the columns that a value is made of. -#}
{% macro derived_columns(kind, prefix='') -%}
    {%- if kind == 'ticket_v1' -%}
        {{ return([
            {'column': 'is_open', 'type': 'boolean', 'value': prefix ~ "status not in ('resolved', 'closed')"},
        ]) }}
    {%- elif declared_kinds()[kind].facts is not none -%}
        {{ return([
            {
                'column': 'raw_zone_key', 'type': 'text',
                'value': "regexp_replace(" ~ prefix ~ "content_sha256, '^(..)(..)', 'sha256/\\1/\\2/\\1\\2')",
            },
        ]) }}
    {%- endif -%}
    {{ return([]) }}
{%- endmacro %}
