{{ config(materialized='view') }}

{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}

{{ line_fates() }}
