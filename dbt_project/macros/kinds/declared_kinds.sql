{#- Written by `loader kind generate` from contracts/kinds; `loader kind check` compares them. -#}
{% macro declared_kinds() -%}
    {{ return({
        "ticket_v1": [
            {"field":"ticket_id","column":"ticket_id","type":"text","level":"internal","serve":true,"envelope":false,"required":true,"mix":false},
            {"field":"source_id","column":"record_source","type":"text","level":"internal","serve":true,"envelope":false,"required":true,"mix":false},
            {"field":"schema_version","column":"schema_version","type":"text","level":"public","serve":true,"envelope":false,"required":true,"mix":false},
            {"field":"customer_id","column":"customer_id","type":"text","level":"pseudonymous","serve":true,"envelope":false,"required":true,"mix":false},
            {"field":"org_id","column":"org_id","type":"text","level":"internal","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"status","column":"status","type":"text","level":"internal","serve":true,"envelope":false,"required":true,"mix":true},
            {"field":"priority","column":"priority","type":"text","level":"internal","serve":true,"envelope":false,"required":true,"mix":true},
            {"field":"category","column":"category","type":"text","level":"internal","serve":true,"envelope":false,"required":false,"mix":true},
            {"field":"product_line","column":"product_line","type":"text","level":"public","serve":true,"envelope":false,"required":true,"mix":true},
            {"field":"product_version","column":"product_version","type":"text","level":"internal","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"subject","type":"text","level":"free_text","serve":false,"envelope":false,"required":false,"mix":false},
            {"field":"description","type":"text","level":"free_text","serve":false,"envelope":false,"required":false,"mix":false},
            {"field":"error_codes","column":"error_codes","type":"json","level":"internal","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"asset_ids","column":"asset_ids","type":"json","level":"pseudonymous","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"assignee_id","column":"assignee_id","type":"text","level":"pseudonymous","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"sla_tier","column":"sla_tier","type":"text","level":"internal","serve":true,"envelope":false,"required":false,"mix":true},
            {"field":"sla_due_at","column":"sla_due_at","type":"instant","level":"internal","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"created_at","column":"created_at","type":"instant","level":"internal","serve":true,"envelope":false,"required":true,"mix":false},
            {"field":"updated_at","column":"updated_at","type":"instant","level":"internal","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"resolved_at","column":"resolved_at","type":"instant","level":"internal","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"pii_level","column":"pii_level","type":"text","level":"internal","serve":true,"envelope":false,"required":true,"mix":true},
            {"field":"pii_redacted","column":"pii_redacted","type":"boolean","level":"internal","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"quality_gate","column":"quality_gate","type":"text","level":"internal","serve":true,"envelope":false,"required":true,"mix":true},
            {"field":"owner","column":"owner","type":"text","level":"internal","serve":true,"envelope":false,"required":true,"mix":false},
            {"field":"tags","column":"tags","type":"json","level":"internal","serve":true,"envelope":false,"required":false,"mix":false},
            {"field":"ingest_batch_id","column":"ingest_batch_id","type":"text","level":"internal","serve":true,"envelope":true,"required":true,"mix":false},
        ],
    }) }}
{%- endmacro %}
