{{
    config(
        materialized='incremental',
        indexes=[{'columns': ['record_key']}, {'columns': ['person_id']}, {'columns': ['partition_key']}],
        pre_hook=[
            "{{ set_reconcile_session() }}",
            "{{ subtract_event_totals(ref('scope_record')) }}",
            "{{ delete_unproved('record_key', ref('scope_record')) }}",
        ],
        post_hook=[
            "{{ add_event_totals(ref('scope_record')) }}",
            "{% if not is_incremental() %}create index on {{ this }} (partition_key) where tie_asset_id is not null{% endif %}",
            "{% if not is_incremental() %}create index on {{ this }} (record_key) where {{ is_in_doubt() }}{% endif %}",
        ],
    )
}}
{%- set scope_record = ref('scope_record') -%}
{%- set kinds = built_kinds() -%}
{#- Only where all is proved most records are settled, and are told from the others. -#}
{%- set contested_claims = 'claims' if is_incremental() else 'contested_claims' -%}
{#- What is told of an event further down, from its claim, its load and its place. -#}
{%- set told = [
    'row_table', 'row_place', 'record_kind', 'event_id', 'record_key', 'record_source', 'created_at', 'updated_at',
    'partition_key', 'person_id', 'envelope_values', 'asset_id', 'line_number', 'run_id', 'dlt_load_id',
    'is_load_intact', 'is_payload_authentic', 'is_event_id_authentic', 'is_partition_authentic', 'content_digest',
    'differing_columns', 'load_run_id', 'load_attempt', 'is_pending', 'is_retired', 'is_first_delivery_known',
    'is_displaced', 'version_at', 'version_sequence', 'version_line_number', 'version_asset_id', 'is_replaced',
    'is_whole_tied'
] -%}
{#- Where a row came from, as the loader's tables say it; the rest the event says. -#}
{%- set lineage = {
    'source_fingerprint': 'fingerprints', 'manifest_id': 'run_manifests', 'batch_id': 'batches'
} -%}
{#- Kinds of which an asset is whole: the newest asset counts alone, and every record is contested. -#}
{%- set wholes = array_of(whole_kinds()) -%}

with

claims as {{ 'materialized' if is_incremental() else 'not materialized' }} (

    {{ rows_to_prove(ref('event_claim'), 'record_key', scope_record) }}

),

silver_rows as {{ 'materialized' if is_incremental() else 'not materialized' }} (

    {#- By key alone: what shares a key in another kind is proved along. #}
    {{ silver_rows(scope_record if is_incremental() else none) | indent(4) }}

),

lines as not materialized (

    select
        event_id,
        asset_id,
        line_number,
        ruleset_id,
        _dlt_load_id
    from {{ source('bronze', 'asset_line') }}
    {%- if is_incremental() %}
    where event_id = any(array(select claims.event_id from claims))
    {%- endif %}

),

-- Filtered apart, where the planner knows how many loads a table has: after a guess of one load all that
-- follows looks small.
event_progress as (

    select * from {{ ref('load_progress') }}
    where table_name = 'record_event'

),

line_progress as (

    select * from {{ ref('load_progress') }}
    where table_name = 'asset_line'

),

pending as (

    select coalesce(bool_or(is_pending), false) as is_pending
    from {{ ref('load_progress') }}

),

sequences as (

    select
        asset_id,
        sequence as asset_sequence
    from {{ source('ops', 'asset_place') }}

),

built as (

    select
        asset_id,
        min(ruleset_id) as ruleset_id,
        min(sequence) as asset_sequence
    from {{ source('silver_ledger', 'built_asset') }}
    group by asset_id

),

-- The ruleset and place of each asset that Silver must show: today's; the built one while a build is pending.
-- Where a table was emptied Silver's ledger still knows, so that one damage does not look like two.
readings as (

    select
        coalesce(asset_readings.asset_id, built.asset_id) as asset_id,
        case
            when pending.is_pending then coalesce(built.ruleset_id, asset_readings.ruleset_id)
            else coalesce(asset_readings.ruleset_id, built.ruleset_id)
        end as ruleset_id,
        case
            when pending.is_pending then coalesce(built.asset_sequence, sequences.asset_sequence, 0)
            else coalesce(sequences.asset_sequence, built.asset_sequence, 0)
        end as asset_sequence
    from {{ source('ops', 'asset_reading') }} as asset_readings
    full join built on asset_readings.asset_id = built.asset_id
    left join sequences on coalesce(asset_readings.asset_id, built.asset_id) = sequences.asset_id
    cross join pending

),

-- Lines whose loads count, each with its place where it stands under the ruleset that counts. Among assets
-- with the same place the latest comes first: a file that came again with more lines orders what both hold.
delivered_lines as not materialized (

    select
        lines.event_id,
        lines.asset_id,
        lines.line_number,
        lines.ruleset_id = readings.ruleset_id as is_current,
        case
            when lines.ruleset_id = readings.ruleset_id and not progress.is_pending
                then array[readings.asset_sequence, lines.line_number::bigint, -lines.asset_id::bigint]
        end as place
    from lines
    inner join line_progress as progress on lines._dlt_load_id = progress.load_id
    left join readings on lines.asset_id = readings.asset_id

),

{%- if not is_incremental() %}

repeated_lines as (

    select event_id
    from lines
    group by event_id
    having count(*) > 1

),

-- Settled: records of one event that one line delivers, nearly all; nothing of them has to be ranked. What
-- names no record or no source cannot be told from others by it.
contested_keys as (

    select record_key
    from claims
    group by record_key
    having count(*) > 1
    union all
    select claims.record_key
    from claims
    inner join repeated_lines on claims.event_id = repeated_lines.event_id
    union all
    select record_key
    from claims
    where record_source is null
    union all
    select record_key
    from claims
    where record_kind = any({{ wholes }})

),

contested_claims as (

    select * from claims
    where record_key in (select contested_keys.record_key from contested_keys)
    union all
    select * from claims
    where record_key is null

),

settled_claims as (

    select * from claims
    where
        record_key is not null
        and not exists (
            select 1 from contested_keys
            where contested_keys.record_key = claims.record_key
        )

),
{%- endif %}

-- The version key takes the smallest place among an event's deliveries.
contested_deliveries as (

    select
        claims.event_id,
        min(delivered_lines.place) as place,
        bool_or(
            delivered_lines.asset_id = claims.asset_id and delivered_lines.line_number = claims.line_number
        ) as has_first_delivery,
        bool_or(
            delivered_lines.asset_id = claims.asset_id
            and delivered_lines.line_number = claims.line_number
            and delivered_lines.is_current
        ) as has_current_first_delivery
    from {{ contested_claims }} as claims
    inner join delivered_lines on claims.event_id = delivered_lines.event_id
    group by claims.event_id

),

-- Normally empty: a record's key is the primary key of its kind's model.
doubled_rows as (

    select
        record_kind,
        record_key,
        min(silver_place) as first_place
    from silver_rows
    group by record_kind, record_key
    having count(*) > 1

),

-- The event that Silver shows of each contested record.
shown as (

    select
        silver_rows.record_kind,
        silver_rows.record_key,
        silver_rows.event_id
    from silver_rows
    where
        {%- if not is_incremental() %}
        silver_rows.record_key in (select contested_keys.record_key from contested_keys) and
        {%- endif %}
        not exists (
            select 1
            from doubled_rows
            where
                doubled_rows.record_kind = silver_rows.record_kind
                and doubled_rows.record_key = silver_rows.record_key
                and doubled_rows.first_place <> silver_rows.silver_place
        )

),

contested_events as (

    select
        {{ placed_event(
            'deliveries.has_first_delivery', 'deliveries.has_current_first_delivery'
        ) | indent(8) }},
        shown.event_id as shown_event_id
    from {{ contested_claims }} as claims
    inner join event_progress as progress on claims.dlt_load_id = progress.load_id
    left join contested_deliveries as deliveries on claims.event_id = deliveries.event_id
    left join readings on claims.asset_id = readings.asset_id
    left join shown on {{ equal_in('claims', 'shown', ['record_kind', 'record_key']) }}

),

-- The assets of what an asset is whole for, newest first; all records of one have one instant and one
-- sequence. Where nothing orders two, the greatest fingerprint decides, which is told as a tie.
whole_assets as (

    select
        record_kind,
        {{ whole_of('record_key') }} as whole_key,
        version_asset_id,
        row_number() over (
            partition by record_kind, {{ whole_of('record_key') }}
            order by max(version_at) desc, max(version_sequence) desc, max(event_id::text) desc
        ) as whole_rank,
        max(version_at) as version_at,
        max(version_sequence) as version_sequence
    from contested_events
    where record_kind = any({{ wholes }}) and not is_pending and not is_retired
    group by record_kind, whole_key, version_asset_id

),

whole_standings as (

    select
        assets.record_kind,
        assets.whole_key,
        assets.version_asset_id,
        assets.whole_rank > 1 as is_replaced,
        exists (
            select from whole_assets as rivals
            where
                rivals.record_kind = assets.record_kind
                and rivals.whole_key = assets.whole_key
                and rivals.version_asset_id <> assets.version_asset_id
                and rivals.version_at = assets.version_at
                and rivals.version_sequence = assets.version_sequence
        )
        and (newest.version_at, newest.version_sequence) = (assets.version_at, assets.version_sequence)
            as is_whole_tied
    from whole_assets as assets
    inner join whole_assets as newest
        on {{ equal_in('assets', 'newest', ['record_kind', 'whole_key']) }} and newest.whole_rank = 1

),

judged_events as (

    select
        contested_events.*,
        coalesce(whole_standings.is_replaced, false) as is_replaced,
        coalesce(whole_standings.is_whole_tied, false) as is_whole_tied
    from contested_events
    left join whole_standings
        on
            contested_events.record_kind = whole_standings.record_kind
            and {{ whole_of('contested_events.record_key') }} = whole_standings.whole_key
            and contested_events.version_asset_id = whole_standings.version_asset_id

),

-- The key comes first: the kind is the same in most comparisons of the sort.
-- A record under two sources belongs to the source of its earliest event, whatever arrived first.
scoped as (

    select
        *,
        not is_pending and not is_retired and not is_replaced as is_counted,
        first_value(record_source) over (
            partition by record_key, record_kind, is_pending or is_retired or is_replaced
            order by created_at asc, version_sequence asc, version_line_number asc, event_id asc
        ) as kept_record_source
    from judged_events

),

eligible as (

    select
        *,
        is_counted and record_source = kept_record_source as is_candidate
    from scoped

),

-- event_id is the fingerprint's beginning: it sorts alike, and is short.
ranked as (

    select
        *,
        row_number() over by_version as version_rank,
        first_value(version_at) over by_version as greatest_at,
        first_value(version_sequence) over by_version as greatest_sequence,
        first_value(version_asset_id) over by_version as greatest_asset_id,
        count(*) over (partition by record_key, record_kind, is_candidate) as version_count
    from eligible
    window
        by_version as (
            partition by record_key, record_kind, is_candidate
            order by
                version_at desc, version_sequence desc, version_line_number desc, event_id desc,
                row_table asc, row_place asc
        )

),

-- The rank of the version that Silver shows; and whether the versions of the greatest instant and place lie
-- in several assets, so that no line orders them and only the fingerprint is left.
contested_standings as (

    select
        *,
        min(version_rank) filter (where event_id = shown_event_id) over (
            partition by record_key, record_kind, is_candidate
        ) as shown_rank,
        bool_or(
            version_at = greatest_at
            and version_sequence = greatest_sequence
            and version_asset_id <> greatest_asset_id
        ) over (partition by record_key, record_kind, is_candidate) as has_tie
    from ranked

),

{%- if not is_incremental() %}

settled_events as (

    {%- set is_first = equal_in('deliveries', 'claims', ['asset_id', 'line_number']) %}

    select
        {{ placed_event(is_first, is_first ~ ' and deliveries.is_current') | indent(8) }},
        false as is_replaced,
        false as is_whole_tied
    from settled_claims as claims
    inner join event_progress as progress on claims.dlt_load_id = progress.load_id
    left join delivered_lines as deliveries on claims.event_id = deliveries.event_id
    left join readings on claims.asset_id = readings.asset_id

),
{%- endif %}

compared as (

    select
        {{ told | join(',\n        ') }},
        is_candidate,
        version_rank,
        version_count,
        greatest_at,
        greatest_sequence,
        has_tie,
        false as is_settled,
        shown_event_id,
        shown_rank
    from contested_standings
    {%- if not is_incremental() %}
    union all
    select
        {{ told | join(',\n        ') }},
        not is_pending and not is_retired as is_candidate,
        1 as version_rank,
        1 as version_count,
        version_at as greatest_at,
        version_sequence as greatest_sequence,
        false as has_tie,
        true as is_settled,
        null::uuid as shown_event_id,
        null::bigint as shown_rank
    from settled_events
    {%- endif %}

),

-- CTEs run_manifests, fingerprints and batches.
{{ stated_lineage() }}

standings as (

    select
        compared.*,
        case
            when compared.is_candidate and compared.version_rank = 1 then compared.record_key
        end as winner_of_record_key,
        case
            when compared.is_whole_tied then compared.version_asset_id::integer
            when
                compared.has_tie
                and compared.is_candidate
                and compared.version_at = compared.greatest_at
                and compared.version_sequence = compared.greatest_sequence
                then compared.version_asset_id::integer
        end as tie_asset_id
    from compared

),

numbered_rows as (

    select
        silver_rows.*,
        coalesce(silver_rows.silver_place <> doubled_rows.first_place, false) as is_copy,
        case
            when coalesce(silver_rows.silver_place = doubled_rows.first_place, true)
                then silver_rows.record_key
        end as first_copy_record_key
    from silver_rows
    left join doubled_rows on {{ equal_in('silver_rows', 'doubled_rows', ['record_kind', 'record_key']) }}

),

-- Both sides of the hop, null-safe: a winner without a row, and a row without a winner, stay visible. What is
-- joined afterwards does not go through the hash of all events.
confronted as (

    select
        standings.*,
        fingerprints.source_fingerprint,
        run_manifests.manifest_id,
        batches.batch_id,
        -- Of a settled record the only version stands beside the row that Silver shows.
        case
            when standings.is_settled then silver.event_id
            else standings.shown_event_id
        end as seen_event_id,
        silver.silver_place,
        silver.record_kind as silver_record_kind,
        silver.record_key as silver_record_key,
        silver.event_id as silver_event_id,
        silver.partition_key as silver_partition_key,
        silver.asset_id as silver_asset_id,
        silver.run_id as silver_run_id,
        silver.content_digest as silver_digest,
        silver.is_copy,
        case
            when silver.silver_place is null and standings.winner_of_record_key is null then null
            when silver.silver_place is null then 'missing'
            when silver.is_copy then 'doubled'
            when standings.row_place is null then 'unfounded'
            when coalesce(silver.event_id <> standings.event_id, true) then 'other_version'
            when not standings.is_payload_authentic then 'unprovable'
            when
                (silver.content_digest is distinct from standings.content_digest)
                {%- for column in ['version_count', 'envelope_values'] + lineage_columns() %}
                or (silver.{{ column }} is distinct from {{ lineage.get(column, 'standings') }}.{{ column }})
                {%- endfor %}
                then 'different'
            else 'equal'
        end as silver_state
    from standings
    full join numbered_rows as silver
        on
            standings.winner_of_record_key = silver.first_copy_record_key
            and standings.record_kind = silver.record_kind
    left join fingerprints on standings.asset_id = fingerprints.asset_id
    left join run_manifests on {{ equal_in('standings', 'run_manifests', ['run_id', 'asset_id']) }}
    left join batches on run_manifests.manifest_id = batches.manifest_id

),

-- Only rows that differ are read again, one by one, to name the columns.
named as (

    select
        confronted.*,
        {{ 'difference.column_names' if kinds else 'null::text[]' }} as differing_silver_columns
    -- noqa: disable=LT02
    from confronted
    {%- if kinds %}
    left join lateral (
        {%- for kind in kinds %}
        {{ differing_silver_columns(kind) }}
        {{ "union all" if not loop.last }}
        {%- endfor %}
        limit all
    ) as difference on true -- noqa: enable=all
    {%- endif %}

),

watermarks as (

    select
        ingest_runs.run_id,
        ingest_runs.attempt,
        mark.key as record_source,
        reconcile.instant_or_null(mark.value) as watermark_at
    from {{ source('ops', 'ingest_run') }} as ingest_runs
    cross join lateral jsonb_each_text(ingest_runs.watermarks) as mark

),

final as (

    select
        coalesce(named.record_kind, named.silver_record_kind) as record_kind,
        named.event_id,
        coalesce(named.record_key, named.silver_record_key) as record_key,
        named.record_source,
        named.version_at,
        named.version_sequence,
        named.version_line_number,
        named.partition_key,
        named.person_id,
        named.asset_id,
        named.line_number,
        named.run_id,
        named.load_run_id,
        named.dlt_load_id,
        case
            when named.event_id is null then 'none'
            when named.is_pending then 'pending'
            when named.is_retired then 'retired'
            when named.is_replaced then 'superseded'
            when not named.is_candidate then 'collided'
            when named.event_id = named.seen_event_id then 'silver'
            -- The ranks are those of the version keys.
            when named.version_rank > named.shown_rank then 'superseded'
            else 'gap'
        end as event_fate,
        coalesce(named.updated_at < watermarks.watermark_at, false) as is_late,
        named.tie_asset_id,
        named.is_load_intact,
        named.is_payload_authentic,
        named.is_event_id_authentic,
        named.is_partition_authentic,
        named.is_first_delivery_known,
        named.is_displaced,
        named.differing_columns,
        named.silver_state,
        named.silver_event_id,
        named.silver_partition_key,
        named.silver_asset_id,
        named.silver_run_id,
        named.differing_silver_columns,
        case when named.winner_of_record_key is not null then named.content_digest end as bronze_digest,
        named.silver_digest
    from named
    left join watermarks
        on
            named.load_run_id = watermarks.run_id
            and named.load_attempt = watermarks.attempt
            and named.record_source = watermarks.record_source

)

select * from final
