{#- Fails with the rows whose equation does not close. -#}
{% test is_explained(model) %}
{{ config(tags=['findings']) }}
select *
from {{ model }}
where unexplained_count is distinct from 0
{% endtest %}
