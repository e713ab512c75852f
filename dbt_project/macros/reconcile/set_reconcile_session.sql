{#-
    Settings of one model's transaction: hashes and sorts of a whole history stay in memory, two workers share the
    reading, and no time goes into compiling a query that runs once. Where only changes are proved, lookups by key are
    priced as what they are on flash or in cache: at 4.0 a day's rows among ten million are found by reading everything.
-#}
{% macro set_reconcile_session() -%}
{{ require_writer() }}
set local work_mem = '64MB';
set local jit = off;
set local enable_mergejoin = off;
set local parallel_setup_cost = 0;
set local parallel_tuple_cost = 0.005;
    {%- if is_proving_changes() %}
set local random_page_cost = 1.1;
    {%- endif %}
{%- endmacro %}
