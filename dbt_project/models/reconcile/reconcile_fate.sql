{{ config(pre_hook="{{ set_reconcile_session() }}") }}

with

line_fates as (

    select * from {{ ref('line_fate') }}

),

counted as (

    select
        asset_id,
        ruleset_id,
        partition_key,
        kind,
        fate,
        landed_by_run_id,
        coalesce(is_misdated, false) as is_misdated,
        count(*) as line_count,
        min(line_number) as first_line_number,
        {{ multiset_digest(['event_id']) }} as event_digest
    from line_fates
    group by asset_id, ruleset_id, partition_key, kind, fate, landed_by_run_id, is_misdated

)

select * from counted
