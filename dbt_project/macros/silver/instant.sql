{#- A field of a record that is an instant, as timestamptz, truncated to the microsecond as every instant here is: a cast
    alone would round. `record_fields`: SQL expression of type jsonb. -#}
{% macro instant(record_fields, field) -%}
    regexp_replace({{ record_fields }} ->> '{{ field }}', '(\.[0-9]{6})[0-9]+', '\1')::timestamptz
{%- endmacro %}
