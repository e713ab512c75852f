{#- Fails with the days on which Silver has another number of rows than Bronze has tickets, also where
    one side lacks the whole day. -#}
{{ config(tags=['findings']) }}
{%- set scope_ticket = ref('scope_ticket') %}
-- depends_on: {{ ref('reconcile_finding') }}, which says what is wrong: dbt would skip it otherwise

with

winners as (

    select partition_key
    from {{ ref('reconcile_event') }}
    where
        silver_state is not null
        and silver_state not in ('unfounded', 'doubled')
    {%- if is_proving_changes() %}
        and ticket_id in (select scope_ticket.ticket_id from {{ scope_ticket }} as scope_ticket)
    {%- endif %}

),

tickets as (

    select partition_key
    from {{ ref('ticket_fact') }}
    {%- if is_proving_changes() %}
    where ticket_id in (select scope_ticket.ticket_id from {{ scope_ticket }} as scope_ticket)
    {%- endif %}

),

differing as (

    {{ row_counts_differ('winners', 'tickets', 'partition_key', 'partition_key') }}

)

select * from differing
