{{
    config(
        materialized='incremental',
        indexes=[{'columns': ['record_key']}, {'columns': ['dlt_load_id']}],
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ delete_unproved('dlt_load_id', ref('scope_load'), 'load_id') }}",
        ],
    )
}}
{#- Read by the macro. -#}
{%- do ref('scope_load') -%}
{%- do ref('reconcile_load') -%}
{%- for kind in declared_kinds() %}
({{ event_claims(kind) }})
{{ "union all" if not loop.last }}
{%- endfor %}
