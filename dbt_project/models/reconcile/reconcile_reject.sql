with

rejects as (

    select * from {{ ref('asset_reject') }}

),

counted as (

    select
        partition_key,
        reason_code,
        sum(line_count)::bigint as line_count,
        count(distinct asset_id) as asset_count
    from rejects
    group by partition_key, reason_code

)

select * from counted
