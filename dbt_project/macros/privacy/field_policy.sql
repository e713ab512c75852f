{#- Written by `python -m loader.privacy.policy` from contracts/privacy/field_policy_v1.json; a test compares them. -#}
{% macro field_policy() -%}
    {{ return([
        {"column":"ticket_id","silver":true,"retrieval":true,"field":"ticket_id","level":"internal"},
        {"column":"schema_version","silver":true,"retrieval":true,"field":"schema_version","level":"public"},
        {"column":"record_source","silver":true,"retrieval":true,"field":"source_id","level":"internal"},
        {"column":"ingest_batch_id","silver":true,"retrieval":true,"field":"ingest_batch_id","level":"internal"},
        {"column":"customer_id","silver":true,"retrieval":true,"field":"customer_id","level":"pseudonymous"},
        {"column":"org_id","silver":true,"retrieval":true,"field":"org_id","level":"internal"},
        {"column":"status","silver":true,"retrieval":true,"field":"status","level":"internal"},
        {"column":"priority","silver":true,"retrieval":true,"field":"priority","level":"internal"},
        {"column":"category","silver":true,"retrieval":true,"field":"category","level":"internal"},
        {"column":"product_line","silver":true,"retrieval":true,"field":"product_line","level":"public"},
        {"column":"product_version","silver":true,"retrieval":true,"field":"product_version","level":"internal"},
        {"column":"subject","silver":false,"retrieval":false,"field":"subject","level":"free_text"},
        {"column":"description","silver":false,"retrieval":false,"field":"description","level":"free_text"},
        {"column":"error_codes","silver":true,"retrieval":true,"field":"error_codes","level":"internal"},
        {"column":"asset_ids","silver":true,"retrieval":true,"field":"asset_ids","level":"pseudonymous"},
        {"column":"assignee_id","silver":true,"retrieval":true,"field":"assignee_id","level":"pseudonymous"},
        {"column":"sla_tier","silver":true,"retrieval":true,"field":"sla_tier","level":"internal"},
        {"column":"sla_due_at","silver":true,"retrieval":true,"field":"sla_due_at","level":"internal"},
        {"column":"created_at","silver":true,"retrieval":true,"field":"created_at","level":"internal"},
        {"column":"updated_at","silver":true,"retrieval":true,"field":"updated_at","level":"internal"},
        {"column":"resolved_at","silver":true,"retrieval":true,"field":"resolved_at","level":"internal"},
        {"column":"pii_level","silver":true,"retrieval":true,"field":"pii_level","level":"internal"},
        {"column":"pii_redacted","silver":true,"retrieval":true,"field":"pii_redacted","level":"internal"},
        {"column":"quality_gate","silver":true,"retrieval":true,"field":"quality_gate","level":"internal"},
        {"column":"owner","silver":true,"retrieval":true,"field":"owner","level":"internal"},
        {"column":"tags","silver":true,"retrieval":true,"field":"tags","level":"internal"},
    ]) }}
{%- endmacro %}

{#- Columns that hold a whole record or line. -#}
{% macro record_containers() -%}
    {{ return(["raw_payload","raw_line","payload","record_fields","message"]) }}
{%- endmacro %}
