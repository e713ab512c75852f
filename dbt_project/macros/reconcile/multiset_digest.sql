{#- One number for a set of rows: independent of their order, dependent on how often each occurs; 0 for none. -#}
{% macro multiset_digest(expressions) -%}
    {{ return(adapter.dispatch('multiset_digest')(expressions)) }}
{%- endmacro %}

{% macro postgres__multiset_digest(expressions) -%}
    coalesce(sum({{ row_digest(expressions) }}), 0)
{%- endmacro %}

{#- A row's text is quoted by PostgreSQL: null differs from '', and no value can run into its neighbour. -#}
{% macro row_digest(expressions) -%}
    {{ return(adapter.dispatch('row_digest')(expressions)) }}
{%- endmacro %}

{% macro postgres__row_digest(expressions) -%}
    ops.digest64(row({{ expressions | join(', ') }})::text)
{%- endmacro %}
