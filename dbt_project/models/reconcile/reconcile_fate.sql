{{ config(
    materialized='incremental',
    pre_hook=["{{ set_reconcile_session() }}", "{{ delete_unproved('asset_id', ref('scope_asset')) }}"],
) }}
{%- set scope_asset = ref('scope_asset') %}

with

line_fates as (

    {{ line_fates(scope_asset if is_incremental() else none) | indent(4) }}

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
