{{
    config(
        pre_hook=["{{ set_reconcile_session() }}", "{{ find_fresh_events() }}"],
        post_hook=["analyze {{ this }}", "{{ sign_scope() }}"],
    )
}}
{%- do ref('scope_load') %}

with

-- Read under another ruleset, at another place, or taken further than when it was proved.
changed_readings as (

    select
        coalesce(asset_readings.asset_id, proved_assets.asset_id) as asset_id,
        coalesce(
            asset_readings.ruleset_id is distinct from proved_assets.ruleset_id
            or asset_readings.sequence is distinct from proved_assets.sequence,
            false
        ) as is_order_changed
    from {{ source('ops', 'asset_reading') }} as asset_readings
    full join {{ source('ops', 'proved_asset') }} as proved_assets
        on asset_readings.asset_id = proved_assets.asset_id
    where
        asset_readings.ruleset_id is distinct from proved_assets.ruleset_id
        or asset_readings.sequence is distinct from proved_assets.sequence
        or asset_readings.taken_partition_count is distinct from proved_assets.taken_partition_count

),

-- Assets that new loads bring lines of, or whose lines wait for an event that new loads bring.
reached as (

    select asset_id
    from fresh_line
    union
    select asset_id
    from line_of_fresh_event

),

{%- if is_proving_changes() %}

-- Assets of which the last proof found lines or rejects that do not fit.
in_doubt as (

    select asset_id
    from {{ source('last_build', 'check_line') }}
    where check_name = 'partition_counts_differ'
    union
    select asset_id
    from {{ source('last_build', 'check_reject') }}
    where asset_id is not null

),
{%- endif %}

final as (

    select
        asset_id,
        bool_or(is_order_changed) as is_order_changed
    from (
        select
            asset_id,
            is_order_changed
        from changed_readings
        union all
        select
            asset_id,
            false as is_order_changed
        from reached
        {%- if is_proving_changes() %}
        union all
        select
            asset_id,
            false as is_order_changed
        from in_doubt
        {%- endif %}
    ) as found
    group by asset_id

)

select * from final
{%- if not is_proving_changes() %}
where false -- all is proved: nobody asks
{%- endif %}
