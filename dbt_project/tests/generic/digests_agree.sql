{#- Fails with the partitions whose values differ between Bronze's payloads and Silver's columns. -#}
{% test digests_agree(model) %}
{{ config(tags=['findings']) }}
select
    partition_key,
    bronze_digest,
    silver_digest
from {{ model }}
where bronze_digest is distinct from silver_digest
{% endtest %}
