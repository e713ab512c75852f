{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        unique_key='customer_id',
        on_schema_change='fail',
        pre_hook=["{{ begin_silver_model() }}", "{{ take_stale_customers() }}"],
        post_hook="truncate {{ source('silver_ledger', 'stale_customer') }}",
    )
}}
{%- set stale_customer = source('silver_ledger', 'stale_customer') %}

with

customer_tickets as not materialized (

    select * from {{ ref('ticket_customer') }}
    {%- if is_incremental() %}
    where customer_id in (select stale.customer_id from {{ stale_customer }} as stale)
    {%- endif %}

),

events as (

    select * from {{ ref('stg_bronze__raw_ticket_event') }}

),

source_assets as (

    select * from {{ ref('stg_ops__source_asset') }}

),

run_assets as (

    select * from {{ ref('stg_ops__run_asset') }}

),

manifests as (

    select * from {{ ref('stg_ops__manifest') }}

),

-- The manifest under which a run first read an asset.
run_manifests as (

    select
        run_id,
        asset_id,
        min(manifest_id) as manifest_id
    from run_assets
    group by run_id, asset_id

),

totals as (

    select
        customer_id,
        min(first_seen_at) as first_seen_at,
        max(version_at) as last_seen_at,
        count(*) filter (where is_current) as ticket_count,
        count(*) filter (where is_open) as open_ticket_count
    from customer_tickets
    group by customer_id

),

newest as (

    select distinct on (totals.customer_id)
        totals.customer_id,
        customer_tickets.org_id,
        customer_tickets.sla_tier,
        totals.first_seen_at,
        totals.last_seen_at,
        totals.ticket_count,
        totals.open_ticket_count,
        customer_tickets.event_id
    from totals
    inner join customer_tickets
        on
            totals.customer_id = customer_tickets.customer_id
            and totals.last_seen_at = customer_tickets.version_at
    order by
        totals.customer_id asc,
        customer_tickets.sequence desc,
        customer_tickets.line_number desc,
        customer_tickets.event_id desc

),

final as (

    select
        newest.customer_id,
        newest.org_id,
        newest.sla_tier,
        newest.first_seen_at,
        newest.last_seen_at,
        newest.ticket_count,
        newest.open_ticket_count,
        encode(events.record_fingerprint, 'hex') as record_fingerprint,
        newest.event_id,
        events.asset_id,
        source_assets.source_fingerprint,
        events.line_number,
        run_manifests.manifest_id,
        manifests.batch_id,
        events.ingest_batch_id,
        events.run_id,
        events.dlt_load_id
    from newest
    inner join events
        on newest.event_id = events.event_id
    left join source_assets
        on events.asset_id = source_assets.asset_id
    left join run_manifests
        on
            events.run_id = run_manifests.run_id
            and events.asset_id = run_manifests.asset_id
    left join manifests
        on run_manifests.manifest_id = manifests.manifest_id

)

select * from final
