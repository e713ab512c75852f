{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        unique_key=['ticket_id', 'customer_id'],
        on_schema_change='fail',
        indexes=[{'columns': ['customer_id']}],
        pre_hook=["{{ begin_silver_model() }}", "{{ take_stale_tickets() }}"],
        post_hook="{{ pass_stale_customers() }}",
    )
}}
{%- set stale_ticket = source('silver_ledger', 'stale_ticket') %}

with

versions as (

    {{ ticket_versions(stale_ticket if is_incremental() else none) | indent(4) }}

),

events as (

    select * from {{ ref('stg_bronze__raw_ticket_event') }}

),

tickets as (

    select * from {{ ref('ticket_fact') }}

),

winners as (

    select
        versions.*,
        tickets.customer_id,
        tickets.org_id,
        tickets.sla_tier,
        tickets.is_open
    from versions
    inner join tickets
        on
            versions.ticket_id = tickets.ticket_id
            and versions.event_id = tickets.event_id
    where versions.is_winner

),

superseded as (

    select
        versions.*,
        events.raw_payload
    from versions
    inner join events
        on versions.event_id = events.event_id
    where not versions.is_winner and not versions.is_collided

),

parsed as (

    select
        *,
        raw_payload::jsonb as record_fields
    from superseded
    offset 0 -- a fence: the payload is parsed once, not once for every field

),

customer_versions as (

    select
        ticket_id,
        customer_id,
        event_id,
        created_at,
        version_at,
        sequence,
        line_number,
        org_id,
        sla_tier,
        is_winner as is_current,
        is_open
    from winners
    union all
    select
        ticket_id,
        record_fields ->> 'customer_id' as customer_id,
        event_id,
        created_at,
        version_at,
        sequence,
        line_number,
        record_fields ->> 'org_id' as org_id,
        record_fields ->> 'sla_tier' as sla_tier,
        is_winner as is_current,
        false as is_open
    from parsed

),

ranked as (

    select
        *,
        min(created_at) over (partition by ticket_id, customer_id) as first_seen_at,
        row_number() over (
            partition by ticket_id, customer_id
            order by version_at desc, sequence desc, line_number desc, event_id desc
        ) as version_rank
    from customer_versions

),

final as (

    select
        ticket_id,
        customer_id,
        org_id,
        sla_tier,
        is_current,
        is_open,
        first_seen_at,
        version_at,
        sequence,
        line_number,
        event_id
    from ranked
    where version_rank = 1

)

select * from final
