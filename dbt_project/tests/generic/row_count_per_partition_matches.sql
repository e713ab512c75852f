{#- Fails with the partitions whose number of rows differs, also when one side lacks the whole day. -#}
{% test row_count_per_partition_matches(
    model, compare_model, partition_column='partition_key', compare_partition_column='partition_key'
) %}
{{ row_counts_differ(model, compare_model, partition_column, compare_partition_column) }}
{% endtest %}
