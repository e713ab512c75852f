{{ config(pre_hook="{{ set_reconcile_session() }}") }}

with

asset_partitions as (select * from {{ source('ops', 'asset_partition') }}),

assets as (select * from {{ ref('reconcile_asset') }}),

fates as (

    select
        fates.*,
        coalesce(assets.record_kind, 'unknown') as record_kind
    from {{ ref('reconcile_fate') }} as fates
    left join assets on fates.asset_id = assets.asset_id

),

-- depends_on: {{ ref('reconcile_event') }}, whose hooks keep the totals
event_totals as (select * from {{ source('reconcile_ledger', 'event_total') }}),

tie_counts as (

    select
        record_kind,
        partition_key,
        sum(version_count) as tie_unordered_count
    from {{ ref('reconcile_tie') }}
    group by record_kind, partition_key

),

link_counts as (

    select
        record_kind,
        partition_key,
        count(distinct record_key) filter (where link_fault = 'link_missing') as link_missing_count,
        count(distinct record_key) filter (where is_awaited) as link_awaited_count
    from {{ ref('reconcile_link') }}
    group by record_kind, partition_key

),

line_counts as (

    select
        record_kind,
        partition_key,
        sum(line_count) as line_count,
        {{ lines_by_fate(['rejected', 'landed', 'duplicate', 'out_of_partition', 'gap']) }}
    from fates
    where partition_key is not null
    group by record_kind, partition_key

),

-- What asset_partition promises for the ruleset that counts: a second witness for lines that are gone.
declared_counts as (

    select
        assets.record_kind,
        asset_partitions.partition_key,
        sum(asset_partitions.record_line_count + asset_partitions.rejected_line_count) as declared_line_count
    from asset_partitions
    inner join assets on {{ equal_in('asset_partitions', 'assets', ['asset_id', 'ruleset_id']) }}
    group by assets.record_kind, asset_partitions.partition_key

),

touching_assets as (

    select
        record_kind,
        partition_key,
        asset_id
    from fates
    where partition_key is not null
    union
    select
        assets.record_kind,
        asset_partitions.partition_key,
        asset_partitions.asset_id
    from asset_partitions
    inner join assets on {{ equal_in('asset_partitions', 'assets', ['asset_id', 'ruleset_id']) }}

),

unassigned_rejects as (

    select
        asset_id,
        sum(line_count) as line_count
    from fates
    where partition_key is null and fate = 'rejected'
    group by asset_id

),

asset_counts as (

    select
        touching_assets.record_kind,
        touching_assets.partition_key,
        count(*) as asset_count,
        count(*) filter (where assets.not_read_line_count > 0) as half_read_asset_count,
        coalesce(sum(unassigned_rejects.line_count), 0) as unassigned_rejected_count
    from touching_assets
    left join assets on touching_assets.asset_id = assets.asset_id
    left join unassigned_rejects on touching_assets.asset_id = unassigned_rejects.asset_id
    group by touching_assets.record_kind, touching_assets.partition_key

),

event_counts as (

    select
        record_kind,
        partition_key,
        sum(event_count) as event_count,
        coalesce(sum(event_count) filter (where is_winner), 0) as winner_count,
        coalesce(sum(event_count) filter (where event_fate = 'superseded'), 0) as superseded_count,
        coalesce(sum(event_count) filter (where event_fate = 'collided'), 0) as collided_count,
        coalesce(sum(event_count) filter (where event_fate = 'retired'), 0) as retired_count,
        coalesce(sum(event_count) filter (where event_fate = 'pending'), 0) as pending_count,
        coalesce(sum(event_count) filter (where is_late), 0) as late_count,
        sum(moved_count) as moved_count,
        sum(bronze_digest) as bronze_digest
    from event_totals
    where partition_key is not null
    group by record_kind, partition_key
    having sum(event_count) > 0

),

silver_counts as (

    select
        record_kind,
        silver_partition_key as partition_key,
        sum(silver_row_count) as silver_row_count,
        sum(silver_digest) as silver_digest
    from event_totals
    where silver_partition_key is not null
    group by record_kind, silver_partition_key
    having sum(silver_row_count) > 0

),

-- Assets whose lines nobody knows: withheld, missing, or admitted and not read at all. A file that is a
-- record belongs to the day that is declared of it. The lines of another one may belong to every day that
-- its manifest's window over created_at reaches; without one, to any. UTC, half-open.
absent_assets as (

    select
        manifest_assets.manifest_id,
        manifest_assets.source_id,
        manifest_assets.disposition,
        -- Null where the manifest is gone: of any kind.
        coalesce(assets.record_kind, manifests.contract_ref) as record_kind,
        case
            when manifest_assets.partition_key is not null then manifest_assets.partition_key
            when manifests.window_field = 'created_at'
                then (manifests.window_start at time zone 'UTC')::date
        end as first_partition_key,
        case
            when manifest_assets.partition_key is not null then manifest_assets.partition_key
            when manifests.window_field = 'created_at'
                then ((manifests.window_end - interval '1 microsecond') at time zone 'UTC')::date
        end as last_partition_key
    from {{ source('ops', 'manifest_asset') }} as manifest_assets
    left join {{ source('ops', 'manifest') }} as manifests
        on manifest_assets.manifest_id = manifests.manifest_id
    left join assets on manifest_assets.asset_id = assets.asset_id
    where
        manifest_assets.disposition in ('withheld', 'missing')
        or (manifest_assets.disposition = 'admitted' and assets.ruleset_id is null)

),

-- A day of which nothing arrived still shows, where a window of at most a year names it.
expected_days as (

    select distinct
        record_kind,
        day_start::date as partition_key
    from absent_assets
    cross join
        lateral generate_series(
            first_partition_key::timestamp, last_partition_key::timestamp, interval '1 day'
        ) as day_start
    where record_kind is not null and last_partition_key - first_partition_key < 366

),

partitions as (

    select
        record_kind,
        partition_key
    from line_counts
    union
    select
        record_kind,
        partition_key
    from declared_counts
    union
    select
        record_kind,
        partition_key
    from event_counts
    union
    select
        record_kind,
        partition_key
    from silver_counts
    union
    select
        record_kind,
        partition_key
    from expected_days

),

absent_counts as (

    select
        partitions.record_kind,
        partitions.partition_key,
        count(*) filter (where absent_assets.disposition = 'withheld') as withheld_asset_count,
        count(*) filter (where absent_assets.disposition = 'missing') as missing_asset_count,
        count(*) filter (where absent_assets.disposition = 'admitted') as unread_asset_count
    from partitions
    inner join absent_assets
        on
            coalesce(partitions.record_kind = absent_assets.record_kind, true)
            and partitions.partition_key >= coalesce(absent_assets.first_partition_key, '-infinity'::date)
            and partitions.partition_key <= coalesce(absent_assets.last_partition_key, 'infinity'::date)
    group by partitions.record_kind, partitions.partition_key

),

joined as (

    select
        partitions.record_kind,
        partitions.partition_key,
        coalesce(asset_counts.asset_count, 0) as asset_count,
        coalesce(absent_counts.withheld_asset_count, 0) as withheld_asset_count,
        coalesce(absent_counts.missing_asset_count, 0) as missing_asset_count,
        coalesce(absent_counts.unread_asset_count, 0) + coalesce(asset_counts.half_read_asset_count, 0)
            as not_read_asset_count,
        coalesce(declared_counts.declared_line_count, 0) as declared_line_count,
        coalesce(line_counts.line_count, 0) as line_count,
        coalesce(line_counts.rejected_count, 0) as rejected_count,
        coalesce(asset_counts.unassigned_rejected_count, 0) as unassigned_rejected_count,
        {{ or_zero('line_counts', [
            'landed_count', 'duplicate_count', 'out_of_partition_count', 'gap_count'
        ]) }},
        {{ or_zero('event_counts', [
            'event_count', 'winner_count', 'superseded_count', 'collided_count', 'retired_count',
            'pending_count', 'moved_count', 'late_count'
        ]) }},
        coalesce(tie_counts.tie_unordered_count, 0) as tie_unordered_count,
        coalesce(link_counts.link_missing_count, 0) as link_missing_count,
        coalesce(link_counts.link_awaited_count, 0) as link_awaited_count,
        coalesce(silver_counts.silver_row_count, 0) as silver_row_count,
        coalesce(event_counts.bronze_digest, 0) as bronze_digest,
        coalesce(silver_counts.silver_digest, 0) as silver_digest
    from partitions
    left join asset_counts on {{ equal_in('partitions', 'asset_counts', ['record_kind', 'partition_key']) }}
    left join absent_counts on {{ equal_in('partitions', 'absent_counts', ['record_kind', 'partition_key']) }}
    left join declared_counts
        on {{ equal_in('partitions', 'declared_counts', ['record_kind', 'partition_key']) }}
    left join line_counts on {{ equal_in('partitions', 'line_counts', ['record_kind', 'partition_key']) }}
    left join event_counts on {{ equal_in('partitions', 'event_counts', ['record_kind', 'partition_key']) }}
    left join silver_counts on {{ equal_in('partitions', 'silver_counts', ['record_kind', 'partition_key']) }}
    left join tie_counts on {{ equal_in('partitions', 'tie_counts', ['record_kind', 'partition_key']) }}
    left join link_counts on {{ equal_in('partitions', 'link_counts', ['record_kind', 'partition_key']) }}

),

-- The only differences: lines promised, lines by fate, events by fate.
final as (

    select
        joined.*,
        abs(joined.declared_line_count - joined.line_count)
        + abs(
            joined.line_count
            - joined.rejected_count
            - joined.landed_count
            - joined.duplicate_count
            - joined.out_of_partition_count
        )
        + abs(
            joined.event_count
            - joined.silver_row_count
            - joined.superseded_count
            - joined.collided_count
            - joined.retired_count
            - joined.pending_count
        )
            as unexplained_count
    from joined

)

-- Why the day is not whole: the one place that says so. What a code says and asks for: loader/obstacles.py.
select
    final.*,
    obstacles.obstacles,
    obstacles.obstacles = '[]' as is_complete
from final
cross join
    lateral (
        select
            coalesce(
                jsonb_agg(
                    jsonb_build_object('code', found.code, 'count', found.found_count) order by found.place
                ),
                '[]'
            ) as obstacles
        from (
            values
            (1, 'unexplained_gap', final.unexplained_count),
            (2, 'asset_withheld', final.withheld_asset_count),
            (3, 'asset_missing', final.missing_asset_count),
            (4, 'asset_not_read', final.not_read_asset_count),
            -- None of its lines has landed: they are in files that were read for other days.
            (5, 'lines_unasked', case when final.landed_count = 0 then final.out_of_partition_count end),
            (6, 'lines_not_taken', case when final.landed_count > 0 then final.out_of_partition_count end),
            (7, 'key_collision', final.collided_count),
            (8, 'events_pending', final.pending_count),
            (9, 'link_missing', final.link_awaited_count),
            (10, 'content_differs', (final.bronze_digest <> final.silver_digest)::integer)
        ) as found (place, code, found_count)
        where found.found_count <> 0
    ) as obstacles
