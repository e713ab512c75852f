{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        unique_key='customer_id',
        on_schema_change='fail',
        pre_hook=["{{ begin_silver_model() }}", "{{ take_stale_customers() }}"],
        post_hook="truncate {{ source('silver_ledger', 'stale_ticket') }}",
    )
}}
{#- After ticket_fact, which freezes what counts and queues the tickets. -#}
{%- do ref('ticket_fact') %}
{%- set customer_is_stale = 'customer_id in (select stale.customer_id from stale_customer as stale)' %}

with

versions as (

    {{ ticket_versions('customer_ticket' if is_incremental() else none) | indent(4) }}

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

newest as (

    select distinct on (customer_id)
        customer_id,
        event_id,
        version_at
    from versions
    where
        not is_collided
        and {{ customer_is_stale if is_incremental() else 'true' }}
    order by
        customer_id asc,
        version_at desc,
        sequence desc,
        line_number desc,
        event_id desc

),

final as (

    select
        newest.customer_id,
        events.payload ->> 'org_id' as org_id,
        events.payload ->> 'sla_tier' as sla_tier,
        newest.version_at as last_seen_at,
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
