{{ config(materialized='ephemeral') }}

with

asset_indexes as (

    select * from {{ source('ops', 'asset_index') }}

),

manifest_assets as (

    select * from {{ source('ops', 'manifest_asset') }}

),

built_assets as (

    select * from {{ source('silver_ledger', 'built_asset') }}

),

loads as (

    select * from {{ ref('load_progress') }}

),

pending as (

    select coalesce(bool_or(is_pending), false) as is_pending
    from loads

),

latest_rulesets as (

    select
        asset_id,
        max(ruleset_id) as ruleset_id
    from asset_indexes
    group by asset_id

),

sequences as (

    select
        asset_id,
        min(sequence) as sequence
    from manifest_assets
    where asset_id is not null
    group by asset_id

),

built as (

    select
        asset_id,
        min(ruleset_id) as ruleset_id,
        min(sequence) as sequence
    from built_assets
    group by asset_id

),

-- Where a table was emptied the ledger of Silver still knows, so that one damage does not look like two.
readings as (

    select
        coalesce(latest_rulesets.asset_id, built.asset_id) as asset_id,
        case
            when pending.is_pending then coalesce(built.ruleset_id, latest_rulesets.ruleset_id)
            else coalesce(latest_rulesets.ruleset_id, built.ruleset_id)
        end as ruleset_id,
        case
            when pending.is_pending then coalesce(built.sequence, sequences.sequence, 0)
            else coalesce(sequences.sequence, built.sequence, 0)
        end as sequence
    from latest_rulesets
    full join built on latest_rulesets.asset_id = built.asset_id
    left join sequences on coalesce(latest_rulesets.asset_id, built.asset_id) = sequences.asset_id
    cross join pending

)

select * from readings
