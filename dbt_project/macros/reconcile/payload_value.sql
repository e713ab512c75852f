{#-
    A field of a record as Silver types it, taken from the payload itself.
    `payload`: SQL expression of type jsonb; `field`: name in the record; `type`: text, boolean, number, json, instant or
    date; `is_trusted`: SQL boolean, true where the payload is known to be what the loader stored. Elsewhere the slow
    conversion is used, which gives null instead of an error: damage must become a finding, not a crash.
-#}
{% macro payload_value(payload, field, type, is_trusted='true') -%}
    {{ return(adapter.dispatch('payload_value')(payload, field, type, is_trusted)) }}
{%- endmacro %}

{% macro postgres__payload_value(payload, field, type, is_trusted='true') -%}
    {%- set as_text = "(" ~ payload ~ " ->> '" ~ field ~ "')" -%}
    {%- if type == 'text' -%}
    {{ as_text }}
    {%- elif type == 'boolean' -%}
    case {{ as_text }} when 'true' then true when 'false' then false end
    {%- elif type == 'number' -%}
    case when {{ is_trusted }} then {{ as_text }}::numeric else reconcile.number_or_null({{ as_text }}) end
    {%- elif type == 'json' -%}
    {{ payload }} -> '{{ field }}'
    {%- elif type == 'instant' -%}
    case when {{ is_trusted }} then ({{ truncated_instant(as_text) }})::timestamptz else reconcile.instant_or_null({{ truncated_instant(as_text) }}) end
    {%- elif type == 'date' -%}
    case when {{ is_trusted }} then {{ as_text }}::date else reconcile.date_or_null(substring({{ as_text }} from '^\d{4}-\d\d-\d\d$')) end
    {%- else -%}
    {{ exceptions.raise_compiler_error("payload_value: " ~ field ~ " has type " ~ type ~ ", expected text, boolean, number, json, instant or date") }}
    {%- endif -%}
{%- endmacro %}

{#- The select list of every field of a kind that Silver holds, each named `prefix` and its column there. -#}
{% macro payload_values(kind, payload, is_trusted='true', prefix='') -%}
    {%- for item in compared_fields(kind) %}
        {{ payload_value(payload, item.field, item.type, is_trusted) }} as {{ prefix }}{{ item.column }}{{ "," if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- SQL's own truncation to the microsecond; PostgreSQL would round. 27 characters hold six digits and a Z. -#}
{% macro truncated_instant(as_text) -%}
    {{ return(adapter.dispatch('truncated_instant')(as_text)) }}
{%- endmacro %}

{% macro postgres__truncated_instant(as_text) -%}
    case when octet_length({{ as_text }}) > 27 then regexp_replace({{ as_text }}, '(\.\d{6})\d+', '\1') else {{ as_text }} end
{%- endmacro %}

{#- The instant as which a value is ordered. A date is ordered as the start of its UTC day, whatever the session's time
    zone. -#}
{% macro instant_of(expression, type) -%}
    {{ return(adapter.dispatch('instant_of')(expression, type)) }}
{%- endmacro %}

{% macro postgres__instant_of(expression, type) -%}
    {%- if type == 'date' -%}
    ({{ expression }}::timestamp at time zone 'UTC')
    {%- else -%}
    {{ expression }}
    {%- endif -%}
{%- endmacro %}

{#- A typed value as text that depends on no session setting; SQL null stays null. -#}
{% macro setting_free_text(expression, type) -%}
    {{ return(adapter.dispatch('setting_free_text')(expression, type)) }}
{%- endmacro %}

{% macro postgres__setting_free_text(expression, type) -%}
    {%- if type == 'instant' -%}
    encode(timestamptz_send({{ expression }}), 'hex')
    {%- elif type == 'date' -%}
    {{ expression }} - date '2000-01-01'
    {%- else -%}
    {{ expression }}
    {%- endif -%}
{%- endmacro %}

{#- setting_free_text of each column in a list of {'column': ..., 'type': ...}; `prefix` goes before each name. -#}
{% macro typed_texts(columns, prefix='') -%}
    {%- set texts = [] -%}
    {%- for item in columns -%}
        {%- do texts.append(setting_free_text(prefix ~ item.column, item.type)) -%}
    {%- endfor -%}
    {{ return(texts) }}
{%- endmacro %}
