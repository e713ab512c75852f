{#- Fails with the rows that the model and `compare_model` do not hold equally often. -#}
{% test equal_multiset(model, compare_model, columns) %}
{{ rows_differ(model, compare_model, columns) }}
{% endtest %}
