{{
    config(
        materialized='incremental',
        unique_key='person_id',
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ find_newest_candidates() }}",
            "{{ delete_unproved('person_id', 'newest_candidate') }}",
        ],
    )
}}
{%- set scope_record = ref('scope_record') %}

with

candidates as (

    {%- if is_incremental() %}

    select * from newest_candidate
    where event_id is not null
    {%- else %}

    select
        person_id,
        event_id,
        record_key,
        version_at,
        version_sequence,
        version_line_number
    from {{ ref('reconcile_event') }}
    where
        record_kind = 'ticket_v1'
        and event_id is not null
        and event_fate not in ('pending', 'retired', 'collided')
    {%- endif %}

),

newest_events as (

    select distinct on (person_id)
        person_id,
        event_id,
        record_key,
        version_at,
        version_sequence,
        version_line_number
    from candidates
    order by
        person_id asc,
        version_at desc,
        version_sequence desc,
        version_line_number desc,
        event_id desc

),

-- Looked up by key: customers are few beside their events.
claims as (

    select * from {{ ref('event_claim') }}
    where record_key = any(array(select newest_events.record_key from newest_events))

),

raw_events as (

    select * from {{ source('bronze', 'record_event') }}
    where event_id = any(array(select newest_events.event_id from newest_events))

),

-- The fence lets each payload be read once.
stated as (

    select
        newest_events.*,
        encode(raw_events.record_fingerprint, 'hex') as record_fingerprint,
        reconcile.jsonb_or_null(raw_events.raw_payload) as payload,
        claims.asset_id,
        claims.line_number,
        claims.envelope_values[1] as ingest_batch_id,
        claims.run_id,
        claims.dlt_load_id,
        claims.partition_key
    from newest_events
    inner join claims on {{ equal_in('newest_events', 'claims', ['event_id', 'record_key']) }}
    inner join raw_events on newest_events.event_id = raw_events.event_id
    limit all

),

final as (

    select
        person_id,
        event_id,
        record_key,
        version_at,
        version_sequence,
        version_line_number,
        record_fingerprint,
        payload ->> 'org_id' as org_id,
        payload ->> 'sla_tier' as sla_tier,
        asset_id,
        line_number,
        ingest_batch_id,
        run_id,
        dlt_load_id,
        partition_key
    from stated

)

select * from final
