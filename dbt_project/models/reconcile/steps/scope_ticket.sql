{{
    config(
        pre_hook=["{{ set_reconcile_session() }}", "{{ find_fresh_events() }}", "{{ find_moved_events() }}"],
        post_hook="analyze {{ this }}",
    )
}}
{%- do ref('scope_load') %}
{%- do ref('scope_asset') %}

with

scope as (

    select * from {{ ref('proof_scope') }}

),

changes as (

    select * from {{ source('ops', 'unproved_change') }}

),

-- Tickets with a new event, a new or moved delivery, or a row of Silver that was written since.
final as (

    select ticket_id
    from fresh_event
    union
    select ticket_id
    from moved_event
    union
    select changes.row_key as ticket_id
    from changes
    cross join scope
    where changes.table_name = 'silver.ticket_fact' and changes.change_number <= scope.last_change_number

)

select * from final
{%- if not is_proving_changes() %}
where false -- all is proved: nobody asks
{%- endif %}
