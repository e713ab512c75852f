{{ config(pre_hook="{{ set_reconcile_session() }}") }}
{#- What the macros read. -#}
{%- do ref('reconcile_load') -%}
{%- do ref('load_progress') -%}
{%- set fields = ticket_fields() -%}
{#- Columns of ticket_fact that follow from Bronze's rows, not from the payload. -#}
{%- set derived_columns = [
    'partition_key', 'is_open', 'version_count', 'warning_codes', 'record_fingerprint'
] -%}
{%- set lineage_columns = [
    'asset_id', 'source_fingerprint', 'line_number', 'manifest_id', 'batch_id', 'ingest_batch_id', 'run_id',
    'dlt_load_id'
] -%}
{%- set digest_columns = [
    {'column': 'field_digest', 'kind': 'number'},
    {'column': 'partition_key', 'kind': 'date'},
    {'column': 'is_open', 'kind': 'boolean'},
    {'column': 'version_count', 'kind': 'number'},
    {'column': 'warning_codes', 'kind': 'text'},
    {'column': 'record_fingerprint', 'kind': 'text'},
] -%}

with

-- Read three times, computed once.
standings as materialized (

    {{ event_standings() | indent(4) }}

),

events as (

    select
        ctid as row_place,
        raw_payload
    from {{ source('bronze', 'raw_ticket_event') }}

),

tickets as not materialized (

    select
        ctid as silver_place,
        *
    from {{ ref('ticket_fact') }}

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

ingest_runs as (

    select * from {{ source('ops', 'ingest_run') }}

),

-- The manifest under which a run first read an asset.
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

winners as (

    select
        standings.row_place,
        standings.ticket_id,
        standings.event_id,
        standings.is_payload_authentic,
        standings.field_digest,
        (standings.created_at at time zone 'UTC')::date as partition_key,
        standings.is_open,
        standings.version_count,
        standings.warning_codes,
        encode(standings.record_fingerprint, 'hex') as record_fingerprint,
        standings.asset_id,
        fingerprints.source_fingerprint,
        standings.line_number,
        run_manifests.manifest_id,
        batches.batch_id,
        standings.ingest_batch_id,
        standings.run_id,
        standings.dlt_load_id
    from standings
    left join fingerprints on standings.asset_id = fingerprints.asset_id
    left join run_manifests
        on
            standings.run_id = run_manifests.run_id
            and standings.asset_id = run_manifests.asset_id
    left join batches on run_manifests.manifest_id = batches.manifest_id
    where standings.is_candidate and standings.version_rank = 1

),

digested_tickets as (

    select
        silver_place,
        ticket_id,
        event_id,
        {%- for column in derived_columns + lineage_columns %}
        {{ column }},
        {%- endfor %}
        {{ row_digest(typed_texts(fields)) }} as field_digest
    from tickets
    limit all

),

-- Normally empty: ticket_id is ticket_fact's primary key.
doubled_tickets as (

    select
        ticket_id,
        min(silver_place) as first_place
    from tickets
    group by ticket_id
    having count(*) > 1

),

numbered_tickets as (

    select
        digested_tickets.*,
        coalesce(digested_tickets.silver_place <> doubled_tickets.first_place, false) as is_copy,
        case
            when coalesce(digested_tickets.silver_place = doubled_tickets.first_place, true)
                then digested_tickets.ticket_id
        end as first_copy_ticket_id
    from digested_tickets
    left join doubled_tickets on digested_tickets.ticket_id = doubled_tickets.ticket_id

),

-- Both sides of the hop, null-safe: a winner without a row, and a row without a winner, stay visible.
confronted as (

    select
        winners.row_place,
        winners.event_id,
        winners.is_payload_authentic,
        winners.field_digest,
        numbered_tickets.silver_place,
        numbered_tickets.ticket_id as silver_ticket_id,
        numbered_tickets.event_id as silver_event_id,
        numbered_tickets.partition_key as silver_partition_key,
        numbered_tickets.asset_id as silver_asset_id,
        numbered_tickets.run_id as silver_run_id,
        numbered_tickets.field_digest as silver_field_digest,
        coalesce(numbered_tickets.is_copy, false) as is_copy,
        {{ differing_names('numbered_tickets', 'winners', derived_columns + lineage_columns) }}
            as differing_names,
        case
            when winners.row_place is not null
                then {{ row_digest(typed_texts(digest_columns, 'winners.')) }}
        end as bronze_digest,
        case
            when numbered_tickets.silver_place is not null
                then {{ row_digest(typed_texts(digest_columns, 'numbered_tickets.')) }}
        end as silver_digest
    from winners
    full join numbered_tickets on winners.ticket_id = numbered_tickets.first_copy_ticket_id

),

judged as (

    select
        confronted.*,
        case
            when confronted.silver_place is null then 'missing'
            when confronted.is_copy then 'doubled'
            when confronted.row_place is null then 'unfounded'
            when coalesce(confronted.silver_event_id <> confronted.event_id, true) then 'other_version'
            when not confronted.is_payload_authentic then 'unprovable'
            when
                confronted.silver_field_digest = confronted.field_digest
                and confronted.differing_names is null
                then 'equal'
            else 'different'
        end as silver_state
    from confronted

),

-- Only rows whose digests differ are read again, one by one, to name the fields.
confrontations as (

    select
        judged.*,
        difference.field_names
    from judged
    left join lateral (
        select
            {{ differing_names('silver', 'bronze', fields | map(attribute='column') | list) }}
                as field_names
        from (
            select {{ payload_values('winner.payload', 'false') }}
            from (
                select reconcile.jsonb_or_null(events.raw_payload) as payload
                from events
                where events.row_place = judged.row_place
                limit all
            ) as winner
            limit all
        ) as bronze
        cross join (
            select tickets.*
            from tickets
            where tickets.silver_place = judged.silver_place
            limit all
        ) as silver
        where judged.silver_state = 'different'
        limit all
    ) as difference on true

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
        standings.version_sequence,
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
        standings.version_sequence,
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
                (
                    shown.version_at,
                    shown.version_sequence,
                    shown.version_line_number,
                    shown.record_fingerprint
                ) > (
                    standings.version_at,
                    standings.version_sequence,
                    standings.version_line_number,
                    standings.record_fingerprint
                )
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
        case
            when confrontations.silver_state = 'different'
                then string_to_array(
                    concat_ws(', ', confrontations.field_names, confrontations.differing_names), ', '
                )
        end as differing_silver_columns,
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
