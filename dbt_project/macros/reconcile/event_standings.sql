{#- Query with one row per visible row of raw_ticket_event: the claims, and where each stands among the versions of
    its ticket. Part of reconcile_event, inlined: as a view of its own it would push reconcile_event, the
    longest of all models, behind the shorter ones in dbt's order by depth. -#}
{% macro event_standings() -%}
    {{ return(adapter.dispatch('event_standings')()) }}
{%- endmacro %}

{% macro default__event_standings() -%}
    {{ exceptions.raise_compiler_error("event_standings is written for PostgreSQL, not for " ~ target.type) }}
{%- endmacro %}

{% macro postgres__event_standings() -%}
with

claims as (

    {{ event_claims() | indent(4) }}

),

lines as (

    select * from {{ source('bronze', 'asset_line') }}

),

progress as (

    select * from {{ ref('load_progress') }}

),

asset_indexes as (

    select * from {{ source('ops', 'asset_index') }}

),

manifest_assets as (

    select * from {{ source('ops', 'manifest_asset') }}

),

built_assets as (

    select * from {{ source('silver_ledger', 'built_asset') }}

),

pending as (

    select coalesce(bool_or(is_pending), false) as is_pending
    from progress

),

latest_rulesets as (

    select
        asset_id,
        max(ruleset_id) as ruleset_id
    from asset_indexes
    group by asset_id

),

sequences as (

    select
        asset_id,
        min(sequence) as asset_sequence
    from manifest_assets
    where asset_id is not null
    group by asset_id

),

built as (

    select
        asset_id,
        min(ruleset_id) as ruleset_id,
        min(sequence) as asset_sequence
    from built_assets
    group by asset_id

),

-- The ruleset and place of each asset that Silver must show: today's; the built one while a build is pending.
-- Where a table was emptied Silver's ledger still knows, so that one damage does not look like two.
readings as (

    select
        coalesce(latest_rulesets.asset_id, built.asset_id) as asset_id,
        case
            when pending.is_pending then coalesce(built.ruleset_id, latest_rulesets.ruleset_id)
            else coalesce(latest_rulesets.ruleset_id, built.ruleset_id)
        end as ruleset_id,
        case
            when pending.is_pending then coalesce(built.asset_sequence, sequences.asset_sequence, 0)
            else coalesce(sequences.asset_sequence, built.asset_sequence, 0)
        end as asset_sequence
    from latest_rulesets
    full join built on latest_rulesets.asset_id = built.asset_id
    left join sequences on coalesce(latest_rulesets.asset_id, built.asset_id) = sequences.asset_id
    cross join pending

),

-- The version key takes the smallest place among an event's deliveries under the ruleset that counts.
deliveries as (

    select
        claims.event_id,
        min(array[readings.asset_sequence, lines.line_number::bigint]) filter (
            where lines.ruleset_id = readings.ruleset_id and not progress.is_pending
        ) as place,
        bool_or(
            lines.asset_id = claims.asset_id and lines.line_number = claims.line_number
        ) as has_first_delivery,
        bool_or(
            lines.asset_id = claims.asset_id
            and lines.line_number = claims.line_number
            and lines.ruleset_id = readings.ruleset_id
        ) as has_current_first_delivery
    from claims
    inner join lines on claims.event_id = lines.event_id
    inner join progress
        on
            lines._dlt_load_id = progress.load_id
            and progress.table_name = 'asset_line'
    left join readings on lines.asset_id = readings.asset_id
    group by claims.event_id

),

-- An event that no line delivers is damage; it keeps the place of its own first delivery, so that its ticket
-- does not look wrong as well. Retired: delivered under an older ruleset only. Few columns until the versions are
-- ranked: wide rows are slow to sort.
placed as (

    select
        claims.row_place,
        claims.ticket_id,
        claims.record_source,
        claims.record_fingerprint,
        claims.created_at,
        claims.is_pending,
        coalesce(claims.updated_at, claims.created_at) as version_at,
        coalesce(deliveries.has_first_delivery, false) as is_first_delivery_known,
        not coalesce(deliveries.has_current_first_delivery, false) as is_displaced,
        deliveries.event_id is not null and deliveries.place is null as is_retired,
        case
            when deliveries.event_id is null then coalesce(readings.asset_sequence, 0)
            else deliveries.place[1]
        end as version_sequence,
        case
            when deliveries.event_id is null then claims.line_number::bigint
            else deliveries.place[2]
        end as version_line_number
    from claims
    left join deliveries on claims.event_id = deliveries.event_id
    left join readings on claims.asset_id = readings.asset_id

),

contested_tickets as (

    select ticket_id
    from placed
    where not is_pending and not is_retired
    group by ticket_id
    having min(record_source) <> max(record_source)

),

-- A ticket under two sources belongs to the source of its earliest event, whatever arrived first.
kept_sources as (

    select distinct on (placed.ticket_id)
        placed.ticket_id,
        placed.record_source
    from placed
    inner join contested_tickets on placed.ticket_id = contested_tickets.ticket_id
    where not placed.is_pending and not placed.is_retired
    order by
        placed.ticket_id asc,
        placed.created_at asc,
        placed.version_sequence asc,
        placed.version_line_number asc,
        placed.record_fingerprint asc

),

scoped as (

    select
        placed.*,
        coalesce(kept_sources.record_source <> placed.record_source, false) as is_collided,
        not placed.is_pending
        and not placed.is_retired
        and coalesce(kept_sources.record_source = placed.record_source, true) as is_candidate
    from placed
    left join kept_sources on placed.ticket_id = kept_sources.ticket_id

),

ranked as (

    select
        scoped.*,
        row_number() over (
            partition by scoped.ticket_id, scoped.is_candidate
            order by
                scoped.version_at desc,
                scoped.version_sequence desc,
                scoped.version_line_number desc,
                scoped.record_fingerprint desc,
                scoped.row_place asc
        ) as version_rank,
        count(*) over (partition by scoped.ticket_id, scoped.is_candidate) as version_count
    from scoped

),

final as (

    select
        claims.row_place,
        claims.event_id,
        claims.record_fingerprint,
        claims.record_source,
        claims.ticket_id,
        claims.created_at,
        claims.updated_at,
        claims.partition_key,
        claims.customer_id,
        claims.org_id,
        claims.sla_tier,
        claims.is_open,
        claims.ingest_batch_id,
        claims.warning_codes,
        claims.asset_id,
        claims.line_number,
        claims.run_id,
        claims.dlt_load_id,
        claims.load_run_id,
        claims.load_attempt,
        ranked.version_at,
        ranked.version_sequence,
        ranked.version_line_number,
        claims.field_digest,
        claims.differing_columns,
        claims.is_pending,
        claims.is_load_intact,
        claims.is_payload_authentic,
        claims.is_event_id_authentic,
        claims.is_partition_authentic,
        ranked.is_first_delivery_known,
        ranked.is_displaced,
        ranked.is_retired,
        ranked.is_collided,
        ranked.is_candidate,
        ranked.version_rank,
        ranked.version_count
    from claims
    inner join ranked on claims.row_place = ranked.row_place

)

select * from final
{%- endmacro %}
