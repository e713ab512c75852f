with

rejects as (

    select * from {{ ref('asset_reject') }}

),

asset_readings as (

    select * from {{ source('ops', 'asset_reading') }}

),

counted as (

    select
        asset_readings.record_kind,
        rejects.partition_key,
        rejects.reason_code,
        sum(rejects.line_count)::bigint as line_count,
        count(distinct rejects.asset_id) as asset_count
    from rejects
    left join asset_readings on rejects.asset_id = asset_readings.asset_id
    group by asset_readings.record_kind, rejects.partition_key, rejects.reason_code

)

select * from counted
