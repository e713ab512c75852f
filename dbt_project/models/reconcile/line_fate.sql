{{ config(materialized='view') }}

{#- Selected by ticket_fact+, and built after it. -#}
{%- do ref('ticket_fact') -%}

{{ line_fates() }}
