{#- The planner takes what is found for one row: in nested loops, years with drifts would cost minutes. -#}
{{ config(pre_hook=["{{ set_reconcile_session() }}", "set local enable_nestloop = off"]) }}
{%- set limits = var('drift') -%}
{%- set trailing -%}
range between interval '{{ limits.trailing_days }} days' preceding and interval '1 day' preceding
{%- endset %}

with

profiles as (

    select * from {{ ref('drift_profile') }}
    {%- if limits.baseline_start %}
    where partition_key >= date '{{ limits.baseline_start }}'
    {%- endif %}

),

assets as (

    select
        asset_id,
        record_kind
    from {{ ref('reconcile_asset') }}

),

-- Shares: every value that a feature ever had, on every day, zeros included, and its sum over days before.
feature_days as (

    select
        record_kind,
        partition_key,
        check_name,
        measure,
        sum(record_count) as record_count
    from profiles
    where check_name <> 'volume'
    group by record_kind, partition_key, check_name, measure

),

trailing_days as (

    select
        *,
        coalesce(sum(record_count) over earlier, 0) as trailing_count,
        count(*) over earlier as trailing_day_count,
        coalesce(sum(record_count) over earlier_weekday, 0) as weekday_count
    from feature_days
    window
        earlier as (partition by record_kind, check_name, measure order by partition_key asc {{ trailing }}),
        earlier_weekday as (
            partition by record_kind, check_name, measure, extract(isodow from partition_key)
            order by partition_key asc {{ trailing }}
        )

),

feature_values as (

    select distinct
        record_kind,
        check_name,
        measure,
        observed_value
    from profiles
    where check_name <> 'volume'

),

counted as (

    select
        measured_day.record_kind,
        measured_day.partition_key,
        measured_day.check_name,
        measured_day.measure,
        measured_day.record_count,
        measured_day.trailing_count,
        measured_day.trailing_day_count,
        measured_day.weekday_count,
        feature_values.observed_value,
        coalesce(profiles.record_count, 0) as value_count,
        coalesce(sum(profiles.record_count) over earlier, 0) as trailing_value_count,
        coalesce(sum(profiles.record_count) over earlier_weekday, 0) as weekday_value_count
    from trailing_days as measured_day
    inner join feature_values
        on {{ equal_in('measured_day', 'feature_values', ['record_kind', 'check_name', 'measure']) }}
    left join profiles
        on
            {{ equal_in('measured_day', 'profiles', [
                'record_kind', 'partition_key', 'check_name', 'measure'
            ]) }}
            and feature_values.observed_value = profiles.observed_value
    window
        earlier as (
            partition by
                measured_day.record_kind, measured_day.check_name, measured_day.measure,
                feature_values.observed_value
            order by measured_day.partition_key asc {{ trailing }}
        ),
        earlier_weekday as (
            partition by
                measured_day.record_kind, measured_day.check_name, measured_day.measure,
                feature_values.observed_value,
                extract(isodow from measured_day.partition_key)
            order by measured_day.partition_key asc {{ trailing }}
        )

),

-- Half a ticket is added to each value, so that one that is new or gone has a finite weight.
shares as (

    select
        *,
        (value_count + 0.5) / (record_count + 0.5 * count(*) over feature) as smooth_share,
        (trailing_value_count + 0.5)
        / (trailing_count + 0.5 * count(*) over feature) as smooth_trailing_share,
        (weekday_value_count + 0.5)
        / (weekday_count + 0.5 * count(*) over feature) as smooth_weekday_share,
        count(*) over feature - 1 as freedom
    from counted
    where
        record_count >= {{ limits.min_tickets }}
        and trailing_count >= {{ limits.min_tickets }}
        and trailing_day_count >= {{ limits.min_trailing_partitions }}
        and value_count + trailing_value_count > 0
    window feature as (partition by record_kind, partition_key, check_name, measure)

),

-- Population stability index, and what chance alone lets it reach over the numbers of tickets: a chi-square
-- quantile (Wilson and Hilferty).
indexes as (

    select
        *,
        sum(
            (smooth_share - smooth_trailing_share) * ln(smooth_share / smooth_trailing_share)
        ) over feature as score,
        sum(
            (smooth_share - smooth_weekday_share) * ln(smooth_share / smooth_weekday_share)
        ) over feature as weekday_score,
        freedom * power(
            1 - 2 / (9.0 * greatest(freedom, 1))
            + {{ limits.chance_z }} * sqrt(2 / (9.0 * greatest(freedom, 1))),
            3
        ) as chance
    from shares
    window feature as (partition by record_kind, partition_key, check_name, measure)

),

limited as (

    select
        *,
        greatest(
            {{ limits.stability_index }}, chance * (1.0 / record_count + 1.0 / trailing_count)
        ) as threshold,
        greatest(
            {{ limits.stability_index }}, chance * (1.0 / record_count + 1.0 / nullif(weekday_count, 0))
        ) as weekday_threshold
    from indexes

),

-- A Sunday may be unlike the week: it must be unlike the Sundays before, too, where enough is known of them.
candidates as (

    select * from limited
    where
        score > threshold
        and (weekday_count < {{ limits.min_tickets }} or weekday_score > weekday_threshold)

),

-- How far each of the days before is from their sum: a lively mix is no drift.
earlier_shares as (

    select
        candidates.record_kind,
        candidates.partition_key,
        candidates.check_name,
        candidates.measure,
        feature_days.partition_key as earlier_partition_key,
        candidates.smooth_trailing_share,
        (coalesce(profiles.record_count, 0) + 0.5)
        / (feature_days.record_count + 0.5 * (candidates.freedom + 1)) as smooth_share
    from candidates
    inner join feature_days
        on
            candidates.record_kind = feature_days.record_kind
            and candidates.check_name = feature_days.check_name
            and candidates.measure = feature_days.measure
            and candidates.partition_key > feature_days.partition_key
            and candidates.partition_key <= feature_days.partition_key + {{ limits.trailing_days }}
    left join profiles
        on
            {{ equal_in('feature_days', 'profiles', ['record_kind', 'partition_key']) }}
            and {{ equal_in('candidates', 'profiles', ['check_name', 'measure', 'observed_value']) }}
    where feature_days.record_count >= {{ limits.min_tickets }}

),

earlier_indexes as (

    select
        record_kind,
        partition_key,
        check_name,
        measure,
        earlier_partition_key,
        sum((smooth_share - smooth_trailing_share) * ln(smooth_share / smooth_trailing_share)) as score
    from earlier_shares
    group by record_kind, partition_key, check_name, measure, earlier_partition_key

),

usual as (

    select
        record_kind,
        partition_key,
        check_name,
        measure,
        {{ limits.usual_factor }}
        * percentile_cont({{ limits.usual_quantile }}) within group (order by score)::numeric as threshold
    from earlier_indexes
    group by record_kind, partition_key, check_name, measure
    having count(*) >= {{ limits.min_trailing_partitions }}

),

-- The value that moved most stands for the feature.
shifted as (

    select distinct on (
        candidates.record_kind, candidates.partition_key, candidates.check_name, candidates.measure
    )
        candidates.record_kind,
        candidates.partition_key,
        candidates.check_name,
        candidates.measure,
        candidates.observed_value,
        candidates.value_count / candidates.record_count as measured_value,
        candidates.trailing_value_count / candidates.trailing_count as trailing_value,
        candidates.score,
        greatest(candidates.threshold, usual.threshold) as threshold,
        candidates.record_count,
        candidates.trailing_count,
        candidates.trailing_day_count
    from candidates
    left join usual
        on {{ equal_in('candidates', 'usual', ['record_kind', 'partition_key', 'check_name', 'measure']) }}
    where candidates.score > coalesce(usual.threshold, 0)
    order by
        candidates.record_kind asc,
        candidates.partition_key asc,
        candidates.check_name asc,
        candidates.measure asc,
        round(abs(candidates.smooth_share - candidates.smooth_trailing_share), 6) desc,
        candidates.smooth_share - candidates.smooth_trailing_share desc,
        candidates.observed_value asc

),

-- Volume: a day against the same weekday of the four weeks before.
volumes as (

    select
        record_kind,
        partition_key,
        max(record_count) filter (where measure = 'tickets') as record_count,
        max(record_count) filter (where measure = 'closing tickets') as closing_count
    from profiles
    where check_name = 'volume'
    group by record_kind, partition_key

),

-- Days with tickets, and days without any that had some a week or more before.
calendar as (

    select
        record_kind,
        partition_key
    from volumes
    union
    select
        volumes.record_kind,
        volumes.partition_key + 7 * weeks.weeks_ago as partition_key
    from volumes
    cross join generate_series(1, 4) as weeks (weeks_ago)

),

first_day as (

    select
        record_kind,
        min(partition_key) as partition_key
    from volumes
    group by record_kind

),

-- Weeks before the first day say nothing; a weekday without tickets since then is expected to have none.
expected as (

    select
        calendar.record_kind,
        calendar.partition_key,
        count(*) as week_count,
        percentile_cont(0.5) within group (order by coalesce(earlier.record_count, 0)) as expected_count
    from calendar
    inner join first_day on calendar.record_kind = first_day.record_kind
    cross join generate_series(1, 4) as weeks (weeks_ago)
    left join volumes as earlier
        on
            calendar.record_kind = earlier.record_kind
            and calendar.partition_key - 7 * weeks.weeks_ago = earlier.partition_key
    where calendar.partition_key - 7 * weeks.weeks_ago >= first_day.partition_key
    group by calendar.record_kind, calendar.partition_key

),

-- A day is over when its own export says so, or when a full enough day has followed within a week.
judged_days as (

    select
        expected.record_kind,
        expected.partition_key,
        expected.expected_count,
        expected.week_count,
        coalesce(volumes.record_count, 0) as record_count,
        coalesce(volumes.closing_count > 0, false)
        or exists (
            select 1
            from volumes as later
            where
                later.record_kind = expected.record_kind
                and later.partition_key > expected.partition_key
                and later.partition_key <= expected.partition_key + 7
                and later.record_count >= {{ limits.thin_share }} * expected.expected_count
        ) as is_over
    from expected
    left join volumes on {{ equal_in('expected', 'volumes', ['record_kind', 'partition_key']) }}
    where
        expected.week_count >= {{ limits.min_weeks }}
        and expected.expected_count >= {{ limits.min_expected_tickets }}

),

-- Lines of a day that nobody has asked for yet are no missing measured_day.
low_days as (

    select
        record_kind,
        partition_key,
        case when record_count = 0 then 'drift_missing_day' else 'drift_thin_day' end as check_name,
        record_count,
        expected_count,
        week_count
    from judged_days
    where
        is_over
        and record_count < {{ limits.thin_share }} * expected_count
        and record_count < expected_count - {{ limits.chance_z }} * sqrt(expected_count)
        and (
            record_count > 0
            or not exists (
                select 1
                from {{ source('ops', 'asset_partition') }} as asset_partitions
                inner join assets on asset_partitions.asset_id = assets.asset_id
                where
                    assets.record_kind = judged_days.record_kind
                    and asset_partitions.partition_key = judged_days.partition_key
                    and asset_partitions.record_line_count > 0
            )
        )

),

file_names as (

    {{ file_names() }}

),

repeated_rejects as (

    select
        rejects.*,
        assets.record_kind,
        file_names.source_id,
        asset_indexes.line_count as asset_line_count,
        rejects.line_count / nullif(asset_indexes.line_count, 0)::numeric as line_share
    from {{ ref('drift_reject') }} as rejects
    inner join {{ ref('stg_ops__asset_index') }} as asset_indexes on rejects.asset_id = asset_indexes.asset_id
    inner join assets on rejects.asset_id = assets.asset_id
    left join file_names on rejects.asset_id = file_names.asset_id
    where
        rejects.line_count >= {{ limits.min_rejected_lines }}
        and rejects.line_count >= {{ limits.rejected_share }} * asset_indexes.line_count

),

final as (

    select
        record_kind,
        partition_key,
        null::integer as asset_id,
        check_name,
        measure,
        round(measured_value, 4) as measured_value,
        round(trailing_value, 4) as trailing_value,
        round(score, 4) as score,
        round(threshold, 4) as threshold,
        measure || ': ' || observed_value || ' is ' || round(100 * measured_value, 1) || ' % of '
        || record_count || ' records, was ' || round(100 * trailing_value, 1) || ' % of '
        || trailing_count || ' on ' || trailing_day_count || ' days before; stability index '
        || round(score, 2) || ', allowed ' || round(threshold, 2) as detail
    from shifted
    union all
    select
        record_kind,
        partition_key,
        null as asset_id,
        check_name,
        'tickets' as measure,
        record_count as measured_value,
        round(expected_count::numeric, 1) as trailing_value,
        round(record_count / expected_count::numeric, 4) as score,
        {{ limits.thin_share }} as threshold,
        case record_count when 0 then 'no record' when 1 then '1 record' else record_count || ' records' end
        || ', expected about ' || round(expected_count) || ' (same weekday, ' || week_count
        || ' weeks before); fewer than ' || round(100 * {{ limits.thin_share }}) || ' % is thin' as detail
    from low_days
    union all
    select
        record_kind,
        partition_key,
        asset_id,
        check_name,
        measure,
        line_count as measured_value,
        0 as trailing_value,
        round(line_share, 4) as score,
        {{ limits.rejected_share }} as threshold,
        measure || ': ' || observed_value || ' in ' || line_count || ' rejected lines of '
        || asset_line_count || ' in ' || coalesce(source_id, 'asset ' || asset_id)
        || '; the contract does not know it' as detail
    from repeated_rejects

)

select * from final
