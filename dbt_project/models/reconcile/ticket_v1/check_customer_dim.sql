{{ config(pre_hook="{{ set_reconcile_session() }}") }}
{#- Selected by a model of Silver and what follows, and built after all of them. -#}
{%- do built_kinds() -%}
{#- Customers: customer_dim, computed anew from Bronze's events. -#}
{%- set scope_record = ref('scope_record') -%}
{%- set told = {
    'record_kind': "'ticket_v1'", 'partition_key': 'partition_key', 'asset_id': 'asset_id', 'run_id': 'run_id'
} %}

with

events as (

    select * from {{ ref('reconcile_event') }}
    where
        record_kind = 'ticket_v1'
    {%- if is_proving_changes() %}
        and record_key = any(array(select scope_record.record_key from {{ scope_record }} as scope_record))
    {%- endif %}

),

customers as (select * from {{ ref('customer_dim') }}),

tickets as (

    {{ rows_to_prove(ref('ticket_fact'), 'ticket_id', scope_record, 'record_key') }}

),

-- Customers are judged against a Bronze that is sound and a Silver of one age; other findings come first.
soundness as (

    select
        not exists (
            select 1
            from {{ ref('load_progress') }} as progress
            where progress.is_pending
        )
        and not exists (
            select 1
            from events
            where events.event_fate = 'pending' or not events.is_payload_authentic
        )
        and not exists (
            select 1
            from {{ ref('reconcile_load') }} as loads
            where
                loads.table_name in ('record_event', 'asset_line')
                and not loads.is_intact
                and not loads.is_in_progress
        ) as is_sound

),

newest as (

    select newest_events.*
    from {{ ref('newest_event') }} as newest_events
    cross join soundness
    where soundness.is_sound

),

-- CTEs run_manifests, fingerprints and batches.
{{ stated_lineage() }}

expected_customers as (

    select
        newest.person_id as customer_id,
        newest.org_id,
        newest.sla_tier,
        newest.version_at as last_seen_at,
        newest.version_sequence as last_seen_sequence,
        newest.version_line_number as last_seen_line_number,
        newest.record_fingerprint,
        newest.event_id,
        newest.asset_id,
        fingerprints.source_fingerprint,
        newest.line_number,
        run_manifests.manifest_id,
        batches.batch_id,
        newest.ingest_batch_id,
        newest.run_id,
        newest.dlt_load_id,
        newest.partition_key
    from newest
    left join fingerprints on newest.asset_id = fingerprints.asset_id
    left join run_manifests on {{ equal_in('newest', 'run_manifests', ['run_id', 'asset_id']) }}
    left join batches on run_manifests.manifest_id = batches.manifest_id

),

-- Only the first copy of a key meets its expectation; others stand alone, and are found.
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

found_customers as (

    select
        -- A finding reaches reports and evidence: it names the event, never the customer.
        coalesce(expected.event_id, actual.event_id) as event_id,
        expected.customer_id as expected_customer_id,
        expected.partition_key,
        coalesce(expected.asset_id, actual.asset_id) as asset_id,
        coalesce(expected.run_id, actual.run_id) as run_id,
        case
            when actual.customer_id is null then 'got no row, expected one'
            when expected.customer_id is null then 'got a row, expected none'
            else {{ differing_names(
                'actual', 'expected',
                ['org_id', 'sla_tier', 'last_seen_at', 'last_seen_sequence', 'last_seen_line_number', 'record_fingerprint', 'event_id', 'asset_id', 'line_number',
                 'ingest_batch_id', 'run_id', 'dlt_load_id']
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

-- Whatever state Bronze is in.
valued as (

    select
        event_id,
        asset_id,
        run_id,
        {{ columns_not_as_declared('customer_dim') | indent(8) }} as column_names
    from customers

),

misvalued as (

    select * from valued
    where column_names <> ''

),

-- Where the customer is not missed already.
orphans as (

    select
        tickets.ticket_id,
        tickets.partition_key,
        tickets.asset_id,
        tickets.run_id
    from tickets
    left join customers on tickets.customer_id = customers.customer_id
    left join found_customers on tickets.customer_id = found_customers.expected_customer_id
    where customers.customer_id is null and found_customers.expected_customer_id is null

),

damaged as (

    select
        event_id,
        asset_id,
        run_id,
        partition_key,
        difference,
        lineage_difference,
        null as column_names
    from found_customers
    where difference is not null or lineage_difference is not null
    union all
    select
        event_id,
        asset_id,
        run_id,
        null as partition_key,
        null as difference,
        null as lineage_difference,
        column_names
    from misvalued

),

event_days as (

    select
        event_id,
        min(partition_key) as partition_key
    from {{ source('bronze', 'record_event') }}
    where event_id = any(array(select damaged.event_id from damaged))
    group by event_id

),

dated as (

    select
        damaged.event_id,
        damaged.asset_id,
        damaged.run_id,
        damaged.difference,
        damaged.lineage_difference,
        damaged.column_names,
        coalesce(damaged.partition_key, event_days.partition_key) as partition_key
    from damaged
    left join event_days on damaged.event_id = event_days.event_id

),

found as (

    select
        {{ finding(
            'customer_differs_from_bronze', 'drift', "'silver.customer_dim'",
            "'customer of event ' || event_id || ': ' || difference",
            **told
        ) }}
    from dated
    where difference is not null
    union all
    select
        {{ finding(
            'lineage_differs', 'drift', "'silver.customer_dim'",
            "'customer of event ' || event_id || ': ' || lineage_difference",
            **told
        ) }}
    from dated
    where difference is null and lineage_difference is not null
    union all
    select
        {{ finding(
            'value_not_accepted', 'drift', "'silver.customer_dim'",
            "'customer of event ' || event_id || ': ' || column_names",
            **told
        ) }}
    from dated
    where column_names is not null
    union all
    select
        {{ finding(
            'ticket_without_customer', 'no_trace', "'silver.ticket_fact'",
            "'ticket ' || ticket_id || ': customer_dim has no row for its customer'",
            **told
        ) }}
    from orphans

)

select * from found
