{#- Fails with the findings: the one place where what the checks found fails a build. After everything: no model waits
    for it. -#}
{% test no_finding(model) %}
{{ config(tags=['findings']) }}
select *
from {{ model }}
{% endtest %}
