{#- Fails with the records that readers see more than once. Where only changes are proved, of those alone: a release
    writes no row of another, and the database lets no ticket have two newest rows (release.ticket_fact_newest). -#}
{% test shown_once(model, column_name) %}
{%- set scope_record = ref('scope_record') %}
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
where {{ column_name }} = any(array(select scope_record.record_key from {{ scope_record }} as scope_record))
{%- endif %}
group by {{ column_name }}
having count(*) > 1
{%- endif %}
{% endtest %}
