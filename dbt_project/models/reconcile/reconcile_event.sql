{{ config(pre_hook="{{ set_reconcile_session() }}") }}

with

standings as (

    select * from {{ ref('event_standing') }}

),

confrontations as (

    select * from {{ ref('ticket_confrontation') }}

),

ingest_runs as (

    select * from {{ source('ops', 'ingest_run') }}

),

watermarks as (

    select
        ingest_runs.run_id,
        ingest_runs.attempt,
        mark.key as record_source,
        reconcile.instant_or_null(mark.value) as watermark_at
    from ingest_runs
    cross join lateral jsonb_each_text(ingest_runs.watermarks) as mark

),

-- The version key of what Silver shows, looked up in Bronze by the event that the row names.
shown as (

    select distinct on (standings.ticket_id)
        standings.ticket_id,
        standings.event_id,
        standings.version_at,
        standings.sequence,
        standings.version_line_number,
        standings.record_fingerprint
    from confrontations
    inner join standings
        on
            confrontations.silver_event_id = standings.event_id
            and confrontations.silver_ticket_id = standings.ticket_id
    where not confrontations.is_copy
    order by standings.ticket_id, standings.row_place

),

final as (

    select
        standings.event_id,
        coalesce(standings.ticket_id, confrontations.silver_ticket_id) as ticket_id,
        standings.record_source,
        standings.version_at,
        standings.sequence,
        standings.version_line_number,
        standings.record_fingerprint,
        standings.created_at,
        standings.partition_key,
        standings.customer_id,
        standings.org_id,
        standings.sla_tier,
        standings.is_open,
        standings.asset_id,
        standings.line_number,
        standings.run_id,
        standings.load_run_id,
        standings.dlt_load_id,
        standings.ingest_batch_id,
        case
            when standings.event_id is null then 'none'
            when standings.is_pending then 'pending'
            when standings.is_retired then 'retired'
            when standings.is_collided then 'collided'
            when standings.event_id = shown.event_id then 'silver'
            when
                (shown.version_at, shown.sequence, shown.version_line_number, shown.record_fingerprint)
                > (standings.version_at, standings.sequence, standings.version_line_number, standings.record_fingerprint)
                then 'superseded'
            else 'gap'
        end as event_fate,
        coalesce(standings.updated_at < watermarks.watermark_at, false) as is_late,
        standings.is_load_intact,
        standings.is_payload_authentic,
        standings.is_event_id_authentic,
        standings.is_partition_authentic,
        standings.is_first_delivery_known,
        standings.is_displaced,
        standings.differing_columns,
        confrontations.silver_state,
        confrontations.silver_event_id,
        confrontations.silver_partition_key,
        confrontations.silver_asset_id,
        confrontations.silver_run_id,
        string_to_array(
            nullif(concat_ws(', ', confrontations.field_names, confrontations.differing_names), ''), ', '
        ) as differing_silver_columns,
        confrontations.bronze_digest,
        confrontations.silver_digest
    from standings
    full join confrontations on standings.row_place = confrontations.row_place
    left join shown on standings.ticket_id = shown.ticket_id
    left join watermarks
        on
            standings.load_run_id = watermarks.run_id
            and standings.load_attempt = watermarks.attempt
            and standings.record_source = watermarks.record_source

)

select * from final
