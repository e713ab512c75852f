{{
    config(
        materialized='incremental',
        unique_key='customer_id',
        pre_hook=["{{ begin_silver_model() }}", "{{ take_stale_customers() }}"],
        post_hook=["{{ empty_queue('ticket_v1') }}", "{{ note_changes('customer_id') }}"],
    )
}}
{#- After ticket_fact, which freezes what counts, queues the tickets and ranks their versions. -#}
{%- do ref('ticket_fact') %}

with

{% if is_incremental() -%}
candidates as (

    select * from customer_candidate

),
{%- else -%}
-- The versions that ticket_fact has just ranked, if they are all there are.
candidates as (

    select
        person_id as customer_id,
        event_id,
        version_at,
        sequence,
        line_number
    from {{ ranked_versions('ticket_v1') }}
    where not is_collided and {{ is_everything_stale('ticket_v1') | indent(4) }}
    union all
    select
        versions.person_id,
        versions.event_id,
        versions.version_at,
        versions.sequence,
        versions.line_number
    from ({{ record_versions('ticket_v1') }}) as versions
    where not versions.is_collided and not {{ is_everything_stale('ticket_v1') | indent(4) }}

),
{%- endif %}

events as (

    select
        event_id,
        record_fingerprint,
        raw_payload::jsonb as payload,
        envelope::jsonb ->> 'ingest_batch_id' as ingest_batch_id,
        asset_id,
        line_number,
        run_id,
        _dlt_load_id as dlt_load_id
    from {{ source('bronze', 'raw_ticket_event') }}

),

{{ origins() }},

newest as (

    select distinct on (customer_id)
        customer_id,
        event_id,
        version_at,
        sequence,
        line_number
    from candidates
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
        newest.sequence as last_seen_sequence,
        newest.line_number as last_seen_line_number,
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
    {{ joined_origins() | indent(4) }}

)

select * from final
