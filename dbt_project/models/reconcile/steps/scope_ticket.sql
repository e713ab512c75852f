{{
    config(
        pre_hook=["{{ set_reconcile_session() }}", "{{ find_fresh_events() }}", "{{ find_moved_events() }}"],
        post_hook=["analyze {{ this }}", "{{ sign_scope() }}"],
    )
}}
{#- After it: whatever is noted meanwhile is proved now and once more. -#}
{%- do ref('proof_scope') %}
{%- do ref('scope_load') %}
{%- do ref('scope_asset') %}

with

changes as (

    select * from {{ source('ops', 'unproved_change') }}

),

-- Tickets with a new event, a new or moved delivery, or a row of Silver that was written since; and those in
-- which the last proof found something.
final as (

    select ticket_id
    from fresh_event
    union
    select ticket_id
    from moved_event
    union
    select row_key as ticket_id
    from changes
    where table_name = 'silver.ticket_fact'
    {%- if is_proving_changes() %}
    union
    select ticket_id
    from {{ source('last_build', 'reconcile_event') }}
    where {{ is_in_doubt() | indent(4) }}
    {%- endif %}

)

select * from final
{%- if not is_proving_changes() %}
where false -- all is proved: nobody asks
{%- endif %}
