{{
    config(
        materialized='incremental',
        indexes=[{'columns': ['record_key']}, {'columns': ['dlt_load_id']}],
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ delete_unproved('dlt_load_id', ref('scope_load'), 'load_id') }}",
        ],
        post_hook="{% if not is_incremental() and whole_kinds() %}create index on {{ this }} ({{ whole_of('record_key') }}) where record_kind in ('{{ whole_kinds() | join(\"', '\") }}'){% endif %}",
    )
}}
{#- Read by the macro. -#}
{%- do ref('scope_load') -%}
{%- do ref('reconcile_load') -%}
{%- for kind in declared_kinds() %}
({{ event_claims(kind) }})
{{ "union all" if not loop.last }}
{%- endfor %}
