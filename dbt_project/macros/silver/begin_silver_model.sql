{#- First pre-hook of an incremental model of Silver: one build at a time from here to the commit. -#}
{% macro begin_silver_model() -%}
{{ silver_lock() }};
{{ require_writer() }}
-- For this transaction: sorts in memory, workers where a query allows them, no compiling for plans that end in
-- seconds, and lookups by key priced as what they are on flash or in cache (at 4.0 a day's records among a million are
-- found by reading everything).
set local work_mem = '64MB';
set local jit = off;
set local random_page_cost = 1.1;
set local parallel_setup_cost = 0;
set local parallel_tuple_cost = 0.005;
{%- endmacro %}

{#- Deletes the rows of a kind's model that it is about to insert anew: those whose record is queued. -#}
{% macro delete_stale(kind) -%}
    {%- if is_incremental() -%}
delete from {{ this }} where {{ declared_kinds()[kind].key }} in {{ stale_keys(kind) }};
    {%- endif -%}
{%- endmacro %}
