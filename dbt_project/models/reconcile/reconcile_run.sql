{{ config(pre_hook="{{ set_reconcile_session() }}") }}

with

-- depends_on: {{ ref('reconcile_event') }}, whose hooks keep the totals
event_totals as (select * from {{ source('reconcile_ledger', 'event_total') }}),

-- While a run is at work these models may see different moments of it; no difference is claimed then.
settlement as (

    select
        not exists (
            select 1
            from {{ ref('reconcile_load') }} as loads
            where loads.is_in_progress
        )
        and coalesce(
            (
                select sum(event_totals.event_count)
                from event_totals
                where event_totals.event_fate = 'pending'
            ), 0
        ) = 0 as is_settled

),

latest_attempts as (

    select distinct on (run_id) *
    from {{ source('ops', 'ingest_run') }}
    order by run_id asc, attempt desc

),

-- Contents that the attempt worked on, each once, however many entries name it.
worked_on as (

    select distinct
        run_assets.run_id,
        run_assets.asset_id
    from {{ source('ops', 'run_asset') }} as run_assets
    inner join latest_attempts on {{ equal_in('run_assets', 'latest_attempts', ['run_id', 'attempt']) }}
    where run_assets.asset_id is not null and run_assets.action in ('parsed', 'unchanged')

),

asset_totals as (

    select
        worked_on.run_id,
        count(*) as asset_count,
        sum(assets.indexed_line_count) as total_count,
        sum(assets.not_read_line_count) as not_read_count
    from worked_on
    inner join {{ ref('reconcile_asset') }} as assets on worked_on.asset_id = assets.asset_id
    group by worked_on.run_id

),

line_totals as (

    select
        worked_on.run_id,
        sum(fates.line_count) filter (where fates.kind = 'record') as valid_count,
        sum(fates.line_count) filter (where fates.fate = 'rejected') as invalid_count,
        sum(fates.line_count) filter (where fates.fate = 'erased') as erased_count,
        sum(fates.line_count) filter (where fates.fate = 'blank') as blank_count,
        sum(fates.line_count) filter (
            where fates.fate = 'landed' and fates.landed_by_run_id = worked_on.run_id
        ) as inserted_line_count,
        sum(fates.line_count) filter (
            where fates.fate = 'landed' and fates.landed_by_run_id is distinct from worked_on.run_id
        ) as landed_by_others_count,
        sum(fates.line_count) filter (where fates.fate = 'duplicate') as duplicate_count,
        sum(fates.line_count) filter (where fates.fate = 'out_of_partition') as out_of_partition_count,
        sum(fates.line_count) filter (where fates.fate = 'gap') as errors_count
    from worked_on
    inner join {{ ref('reconcile_fate') }} as fates on worked_on.asset_id = fates.asset_id
    group by worked_on.run_id

),

event_counts as (

    select
        run_id,
        sum(event_count) as inserted_count,
        coalesce(sum(event_count) filter (where is_displaced), 0) as displaced_count,
        coalesce(sum(event_count) filter (where is_late), 0) as late_count
    from event_totals
    where run_id is not null
    group by run_id

),

totals as (

    select
        latest_attempts.run_id,
        latest_attempts.attempt,
        latest_attempts.mode,
        latest_attempts.status,
        latest_attempts.batch_id,
        latest_attempts.window_start as window_start_date,
        latest_attempts.window_end as window_end_date,
        coalesce(asset_totals.asset_count, 0) as asset_count,
        coalesce(asset_totals.total_count, 0) as total_count,
        {{ or_zero('line_totals', ['valid_count', 'invalid_count', 'erased_count', 'blank_count']) }},
        coalesce(event_counts.inserted_count, 0) as inserted_count,
        coalesce(line_totals.inserted_line_count, 0) as inserted_line_count,
        coalesce(event_counts.displaced_count, 0) as displaced_count,
        {{ or_zero('line_totals', [
            'landed_by_others_count', 'duplicate_count', 'out_of_partition_count', 'errors_count'
        ]) }},
        coalesce(asset_totals.not_read_count, 0) as not_read_count,
        coalesce(event_counts.late_count, 0) as late_count
    from latest_attempts
    left join asset_totals on latest_attempts.run_id = asset_totals.run_id
    left join line_totals on latest_attempts.run_id = line_totals.run_id
    left join event_counts on latest_attempts.run_id = event_counts.run_id

),

final as (

    select
        totals.run_id,
        totals.attempt,
        totals.mode,
        totals.status,
        totals.batch_id,
        totals.window_start_date,
        totals.window_end_date,
        totals.asset_count,
        totals.total_count,
        totals.valid_count,
        totals.invalid_count,
        totals.erased_count,
        totals.blank_count,
        totals.inserted_count,
        totals.displaced_count,
        totals.landed_by_others_count,
        totals.duplicate_count,
        totals.out_of_partition_count,
        totals.landed_by_others_count + totals.duplicate_count + totals.out_of_partition_count
            as skipped_count,
        totals.errors_count,
        totals.not_read_count,
        totals.late_count,
        settlement.is_settled,
        case
            when settlement.is_settled
                then
                    abs(
                        totals.total_count
                        - totals.invalid_count
                        - totals.erased_count
                        - totals.blank_count
                        - totals.inserted_line_count
                        - totals.landed_by_others_count
                        - totals.duplicate_count
                        - totals.out_of_partition_count
                    )
                    + abs(totals.inserted_count - totals.displaced_count - totals.inserted_line_count)
            else 0
        end as unexplained_count
    from totals
    cross join settlement

)

select * from final
