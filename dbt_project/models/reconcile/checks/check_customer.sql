{{ config(materialized='view') }}

{#- Selected by ticket_fact+, and built after it. -#}
{%- do ref('ticket_fact') -%}
{#- Customers: ticket_customer and customer_dim, computed anew from Bronze's events. -#}

with

events as (

    select * from {{ ref('reconcile_event') }}

),

ticket_customers as (

    select * from {{ ref('ticket_customer') }}

),

customers as (

    select * from {{ ref('customer_dim') }}

),

manifests as (

    select * from {{ source('ops', 'manifest') }}

),

source_assets as (

    select * from {{ source('ops', 'source_asset') }}

),

run_assets as (

    select * from {{ source('ops', 'run_asset') }}

),

progress as (

    select * from {{ ref('load_progress') }}

),

loads as (

    select * from {{ ref('reconcile_load') }}

),

-- Customers are judged against a Bronze that is sound and a Silver of one age; other findings come first.
soundness as (

    select
        not exists (
            select 1
            from progress
            where progress.is_pending
        )
        and not exists (
            select 1
            from events
            where events.event_fate = 'pending' or not events.is_payload_authentic
        )
        and not exists (
            select 1
            from loads
            where
                loads.table_name in ('raw_ticket_event', 'asset_line')
                and not loads.is_intact
                and not loads.is_in_progress
        ) as is_sound

),

ranked as (

    select
        events.customer_id,
        events.ticket_id,
        events.org_id,
        events.sla_tier,
        events.silver_state is not null as is_current,
        events.silver_state is not null and coalesce(events.is_open, false) as is_open,
        events.created_at,
        events.version_at,
        events.version_sequence,
        events.version_line_number,
        events.record_fingerprint,
        events.event_id,
        row_number() over (
            partition by events.ticket_id, events.customer_id
            order by
                events.version_at desc,
                events.version_sequence desc,
                events.version_line_number desc,
                events.record_fingerprint desc
        ) as version_rank,
        min(events.created_at) over (partition by events.ticket_id, events.customer_id) as first_seen_at
    from events
    cross join soundness
    where
        soundness.is_sound
        and events.event_id is not null
        and events.event_fate not in ('pending', 'retired', 'collided')

),

expected_ticket_customers as (

    select
        ticket_id,
        customer_id,
        org_id,
        sla_tier,
        is_current,
        is_open,
        first_seen_at,
        version_at,
        version_sequence,
        version_line_number as line_number,
        record_fingerprint,
        event_id
    from ranked
    where version_rank = 1

),

newest as (

    select distinct on (customer_id) *
    from expected_ticket_customers
    order by
        customer_id asc,
        version_at desc,
        version_sequence desc,
        line_number desc,
        record_fingerprint desc

),

totals as (

    select
        customer_id,
        min(first_seen_at) as first_seen_at,
        count(*) filter (where is_current) as ticket_count,
        count(*) filter (where is_open) as open_ticket_count
    from expected_ticket_customers
    group by customer_id

),

run_manifests as (

    select
        run_id,
        asset_id,
        min(manifest_id) as manifest_id
    from run_assets
    where asset_id is not null
    group by run_id, asset_id

),

fingerprints as (

    select
        asset_id,
        min(source_fingerprint) as source_fingerprint
    from source_assets
    group by asset_id

),

batches as (

    select
        manifest_id,
        min(batch_id) as batch_id
    from manifests
    group by manifest_id

),

expected_customers as (

    select
        newest.customer_id,
        newest.org_id,
        newest.sla_tier,
        totals.first_seen_at,
        newest.version_at as last_seen_at,
        totals.ticket_count,
        totals.open_ticket_count,
        encode(newest.record_fingerprint, 'hex') as record_fingerprint,
        newest.event_id,
        events.asset_id,
        fingerprints.source_fingerprint,
        events.line_number,
        run_manifests.manifest_id,
        batches.batch_id,
        events.ingest_batch_id,
        events.run_id,
        events.dlt_load_id,
        events.partition_key
    from newest
    inner join totals on newest.customer_id = totals.customer_id
    inner join events on newest.event_id = events.event_id
    left join fingerprints on events.asset_id = fingerprints.asset_id
    left join run_manifests
        on
            events.run_id = run_manifests.run_id
            and events.asset_id = run_manifests.asset_id
    left join batches on run_manifests.manifest_id = batches.manifest_id

),

-- Only the first copy of a key meets its expectation; others stand alone, and are found.
numbered_ticket_customers as (

    select
        ticket_customers.*,
        ticket_customers.sequence as version_sequence,
        case
            when
                row_number() over (
                    partition by ticket_customers.ticket_id, ticket_customers.customer_id
                    order by ticket_customers.event_id
                ) = 1
                then ticket_customers.ticket_id
        end as first_ticket_id
    from ticket_customers
    cross join soundness
    where soundness.is_sound

),

numbered_customers as (

    select
        customers.*,
        case
            when row_number() over (partition by customers.customer_id order by customers.event_id) = 1
                then customers.customer_id
        end as first_customer_id
    from customers
    cross join soundness
    where soundness.is_sound

),

found_ticket_customers as (

    select
        coalesce(expected.ticket_id, actual.ticket_id) as ticket_id,
        coalesce(expected.customer_id, actual.customer_id) as customer_id,
        coalesce(expected.event_id, actual.event_id) as event_id,
        case
            when actual.ticket_id is null then 'got no row, expected one'
            when expected.ticket_id is null then 'got a row, expected none'
            else {{ differing_names(
                'actual', 'expected',
                ['org_id', 'sla_tier', 'is_current', 'is_open', 'first_seen_at', 'version_at', 'version_sequence',
                 'line_number', 'event_id']
            ) }}
        end as difference
    from expected_ticket_customers as expected
    full join numbered_ticket_customers as actual
        on
            expected.ticket_id = actual.first_ticket_id
            and expected.customer_id = actual.customer_id

),

found_customers as (

    select
        coalesce(expected.customer_id, actual.customer_id) as customer_id,
        coalesce(expected.event_id, actual.event_id) as event_id,
        expected.partition_key,
        coalesce(expected.asset_id, actual.asset_id) as asset_id,
        coalesce(expected.run_id, actual.run_id) as run_id,
        case
            when actual.customer_id is null then 'got no row, expected one'
            when expected.customer_id is null then 'got a row, expected none'
            else {{ differing_names(
                'actual', 'expected',
                ['org_id', 'sla_tier', 'first_seen_at', 'last_seen_at', 'ticket_count', 'open_ticket_count',
                 'record_fingerprint', 'event_id', 'asset_id', 'line_number', 'ingest_batch_id', 'run_id', 'dlt_load_id']
            ) }}
        end as difference,
        case
            when actual.customer_id is not null and expected.customer_id is not null
                then {{ differing_names(
                    'actual', 'expected', ['source_fingerprint', 'manifest_id', 'batch_id']
                ) }}
        end as lineage_difference
    from expected_customers as expected
    full join numbered_customers as actual on expected.customer_id = actual.first_customer_id

),

found as (

    select
        {{ finding(
            'ticket_customer_differs_from_bronze', "'silver.ticket_customer'",
            "'ticket ' || found_ticket_customers.ticket_id || ', customer ' || found_ticket_customers.customer_id || ': '
            || found_ticket_customers.difference",
            partition_key='events.partition_key', asset_id='events.asset_id', run_id='events.run_id'
        ) }}
    from found_ticket_customers
    left join events on found_ticket_customers.event_id = events.event_id
    where found_ticket_customers.difference is not null
    union all
    select
        {{ finding(
            'customer_differs_from_bronze', "'silver.customer_dim'", "'customer ' || customer_id || ': ' || difference",
            partition_key='partition_key', asset_id='asset_id', run_id='run_id'
        ) }}
    from found_customers
    where difference is not null
    union all
    select
        {{ finding(
            'lineage_differs', "'silver.customer_dim'", "'customer ' || customer_id || ': ' || lineage_difference",
            partition_key='partition_key', asset_id='asset_id', run_id='run_id'
        ) }}
    from found_customers
    where difference is null and lineage_difference is not null

)

select * from found
