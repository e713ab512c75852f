{#- Where the raw zone keeps bytes: an object is named by their SHA-256. `fingerprint`: an SQL expression, hexadecimal. -#}
{% macro raw_zone_key(fingerprint) -%}
'sha256/' || substr({{ fingerprint }}, 1, 2) || '/' || substr({{ fingerprint }}, 3, 2) || '/' || {{ fingerprint }}
{%- endmacro %}
