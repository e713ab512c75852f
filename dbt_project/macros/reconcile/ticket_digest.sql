{#- Digest of what one row of ticket_fact says of its ticket: its typed fields, each a column named `prefix` and its
    name, and the columns that follow from the event. Both sides of the Bronze-to-Silver hop use it. -#}
{% macro ticket_digest(prefix, partition_key, is_open, warning_codes, record_fingerprint) -%}
    {%- set derived = [setting_free_text(partition_key, 'date'), is_open, warning_codes, record_fingerprint] -%}
    {{ row_digest(typed_texts(compared_fields('ticket_v1'), prefix) + derived) }}::bigint
{%- endmacro %}
