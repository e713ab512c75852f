{{ config(pre_hook="{{ set_reconcile_session() }}") }}

with

rejects as (

    select * from {{ source('bronze', 'rejected_record') }}

),

line_fates as (

    select * from {{ ref('line_fate') }}

),

-- Doubled reject rows must not count a line twice.
reasons as (

    select distinct
        line_fates.partition_key,
        line_fates.asset_id,
        line_fates.line_number,
        reason.reason_code
    from line_fates
    inner join rejects
        on
            line_fates.asset_id = rejects.asset_id
            and line_fates.line_number = rejects.line_number
            and line_fates.ruleset_id = rejects.ruleset_id
    cross join lateral unnest(rejects.reason_codes) as reason (reason_code)
    where line_fates.fate = 'rejected'

),

counted as (

    select
        partition_key,
        reason_code,
        count(*) as line_count,
        count(distinct asset_id) as asset_count
    from reasons
    group by partition_key, reason_code

)

select * from counted
