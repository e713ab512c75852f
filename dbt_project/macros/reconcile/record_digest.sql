{#- Digest of what one row of a kind's model of Silver says of its record: its typed fields, each a column named `prefix`
    and its name, and what follows from the event. Both sides of the Bronze-to-Silver hop use it. `derived`: the values
    of derived_columns, in their order. -#}
{% macro record_digest(kind, prefix, partition_key, derived, warning_codes, record_fingerprint) -%}
    {%- set others = [setting_free_text(partition_key, 'date')] + derived + [warning_codes, record_fingerprint] -%}
    {{ row_digest(typed_texts(compared_fields(kind), prefix) + others) }}::bigint
{%- endmacro %}

{#- The same of a row of Silver itself. -#}
{% macro silver_digest(kind) -%}
    {{ record_digest(
        kind, '', 'partition_key', derived_columns(kind) | map(attribute='column') | list, 'warning_codes',
        'record_fingerprint'
    ) }}
{%- endmacro %}
