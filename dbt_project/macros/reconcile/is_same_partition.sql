{#- Whether rows of two relations are of one kind and day. -#}
{% macro is_same_partition(relation_a, relation_b) -%}
{{ relation_a }}.record_kind = {{ relation_b }}.record_kind and {{ relation_a }}.partition_key = {{ relation_b }}.partition_key
{%- endmacro %}
