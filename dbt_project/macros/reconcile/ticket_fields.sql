{#-
    The fields of a ticket record that Silver holds as typed columns: the one list that both sides of the
    Bronze-to-Silver comparison use. Left out on purpose: what contracts/privacy/field_policy_v1.json keeps out of
    Silver, and ingest_batch_id (belongs to the delivery). A test compares this list with both.
-#}
{% macro ticket_fields() -%}
    {{ return([
        {'field': 'ticket_id', 'column': 'ticket_id', 'kind': 'text'},
        {'field': 'source_id', 'column': 'record_source', 'kind': 'text'},
        {'field': 'schema_version', 'column': 'schema_version', 'kind': 'text'},
        {'field': 'customer_id', 'column': 'customer_id', 'kind': 'text'},
        {'field': 'org_id', 'column': 'org_id', 'kind': 'text'},
        {'field': 'status', 'column': 'status', 'kind': 'text'},
        {'field': 'priority', 'column': 'priority', 'kind': 'text'},
        {'field': 'category', 'column': 'category', 'kind': 'text'},
        {'field': 'product_line', 'column': 'product_line', 'kind': 'text'},
        {'field': 'product_version', 'column': 'product_version', 'kind': 'text'},
        {'field': 'error_codes', 'column': 'error_codes', 'kind': 'json'},
        {'field': 'asset_ids', 'column': 'asset_ids', 'kind': 'json'},
        {'field': 'assignee_id', 'column': 'assignee_id', 'kind': 'text'},
        {'field': 'sla_tier', 'column': 'sla_tier', 'kind': 'text'},
        {'field': 'sla_due_at', 'column': 'sla_due_at', 'kind': 'instant'},
        {'field': 'created_at', 'column': 'created_at', 'kind': 'instant'},
        {'field': 'updated_at', 'column': 'updated_at', 'kind': 'instant'},
        {'field': 'resolved_at', 'column': 'resolved_at', 'kind': 'instant'},
        {'field': 'pii_level', 'column': 'pii_level', 'kind': 'text'},
        {'field': 'pii_redacted', 'column': 'pii_redacted', 'kind': 'boolean'},
        {'field': 'quality_gate', 'column': 'quality_gate', 'kind': 'text'},
        {'field': 'owner', 'column': 'owner', 'kind': 'text'},
        {'field': 'tags', 'column': 'tags', 'kind': 'json'},
    ]) }}
{%- endmacro %}
