{#- Fails with the tickets that readers see more than once. Where only changes are proved, of those alone: a release
    writes no row of another, and the database lets no ticket have two newest rows (release.ticket_row_newest). -#}
{% test shown_once(model, column_name) %}
{%- set scope_ticket = ref('scope_ticket') %}
{#- No model waits for it: the one that reads what it tests is built before. -#}
{%- do ref('serving_customer_dim') %}
{#- Where the view was never built, a build of `ticket_fact+` among them, readers see nothing. -#}
{%- if execute and load_relation(model) is none %}
select null as {{ column_name }} where false
{%- else %}
select
    {{ column_name }},
    count(*) as shown_count
from {{ model }}
{%- if is_proving_changes() %}
where {{ column_name }} = any(array(select scope_ticket.ticket_id from {{ scope_ticket }} as scope_ticket))
{%- endif %}
group by {{ column_name }}
having count(*) > 1
{%- endif %}
{% endtest %}
